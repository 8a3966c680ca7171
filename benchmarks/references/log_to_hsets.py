"""A query that builds, for each event in log order, the Redis commands that write its registers. It needs no Python."""

GENERATION = "g0"
"""The generation that the commands write."""


def escaped(text: str) -> str:
    """Return SQL that escapes a text for the single quotes of a Redis command."""
    return rf"replace({text}, '''', '\''')"


def view_key(view: str, identifier: str) -> str:
    """Return SQL for the Redis key of a view, for example g0:{07}:order:o1."""
    bucket = f"lpad((crc32(convert_to({identifier}, 'UTF8')) % 32)::text, 2, '0')"
    return f"concat('{GENERATION}:{{', {bucket}, '}}:{view}:', {escaped(identifier)})"


LINE = f"""
    concat('HSET ''', {view_key("order", "orderid")}, ''' ''', {escaped("sku")}, ''' ''', version,
           ' {{"qty":', line.qty, ',"status":', status, ',"batchref":', {escaped("coalesce(batchref::text, 'null')")},
           ',"why":' || {escaped("why::text")}, '}}''')
"""

TOTALS = """
    concat('HSET ''', product_key, ''' totals ''', version, ' {"available":', available, ',"waiting":', waiting, '}''')
"""

BATCH = f"""
    concat('HSET ''', present_key, ''' ''batch:', {escaped("ref")},
           ''' ''', version, ' {{"ref":', {escaped("to_json(ref)::text")},
           ',"qty":', qty, ',"allocated":', allocated, ',"eta":', coalesce(eta::text, 'null'), '}}'''),
    concat('HDEL ''', former_key, ''' ''batch:', {escaped("ref")}, ''''),
    concat('HSET ''', {view_key("batch", "ref")}, ''' state ''', version, ' {{"sku":', {escaped("to_json(sku)::text")},
           ',"qty":', qty, ',"allocated":', allocated, ',"eta":', coalesce(eta::text, 'null'), '}}''')
"""

HSETS_OF_LOG = f"""
    SELECT command FROM events
    CROSS JOIN LATERAL json_to_record(data) AS event (available json, waiting json, batches json, line json, why json)
    LEFT JOIN LATERAL json_to_record(line) AS line (orderid text, qty json, status json, batchref json) ON true
    CROSS JOIN LATERAL (
        SELECT {view_key("product", "sku")}, {view_key("used-up", "sku")}
    ) AS names (product_key, used_up_key)
    CROSS JOIN LATERAL (
        SELECT {TOTALS}
        UNION ALL SELECT {LINE} WHERE orderid IS NOT NULL
        UNION ALL SELECT unnest(ARRAY[{BATCH}])
        FROM json_to_recordset(batches) AS batch (ref text, qty int, allocated int, eta json)
        CROSS JOIN LATERAL (
            SELECT CASE WHEN allocated < qty THEN product_key ELSE used_up_key END,
                   CASE WHEN allocated < qty THEN used_up_key ELSE product_key END
        ) AS places (present_key, former_key)
    ) AS commands (command)
    ORDER BY position
"""
