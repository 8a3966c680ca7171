"""SQL that makes each event of the log, in order, into the Redis commands that write its registers: no Python in it."""

GENERATION = "g0"


def inside(text: str) -> str:
    """A text as it stands between the single quotes of a command."""
    return rf"replace({text}, '''', '\''')"


def key(view: str, identifier: str) -> str:
    bucket = f"lpad((crc32(convert_to({identifier}, 'UTF8')) % 32)::text, 2, '0')"
    return f"concat('{GENERATION}:{{', {bucket}, '}}:{view}:', {inside(identifier)})"


LINE = f"""
    concat('HSET ''', {key("order", "orderid")}, ''' ''', {inside("sku")}, ''' ''', version,
           ' {{"qty":', line.qty, ',"status":', status, ',"batchref":', {inside("coalesce(batchref::text, 'null')")},
           ',"why":' || {inside("why::text")}, '}}''')
"""

TOTALS = """
    concat('HSET ''', with_room, ''' totals ''', version, ' {"available":', available, ',"waiting":', waiting, '}''')
"""

BATCH = f"""
    concat('HSET ''', home, ''' ''batch:', {inside("ref")},
           ''' ''', version, ' {{"ref":', {inside("to_json(ref)::text")},
           ',"qty":', qty, ',"allocated":', allocated, ',"eta":', coalesce(eta::text, 'null'), '}}'''),
    concat('HDEL ''', elsewhere, ''' ''batch:', {inside("ref")}, ''''),
    concat('HSET ''', {key("batch", "ref")}, ''' state ''', version, ' {{"sku":', {inside("to_json(sku)::text")},
           ',"qty":', qty, ',"allocated":', allocated, ',"eta":', coalesce(eta::text, 'null'), '}}''')
"""

COMMANDS = f"""
    SELECT command FROM events
    CROSS JOIN LATERAL json_to_record(data) AS event (available json, waiting json, batches json, line json, why json)
    LEFT JOIN LATERAL json_to_record(line) AS line (orderid text, qty json, status json, batchref json) ON true
    CROSS JOIN LATERAL (SELECT {key("product", "sku")}, {key("used-up", "sku")}) AS views (with_room, without)
    CROSS JOIN LATERAL (
        SELECT {TOTALS}
        UNION ALL SELECT {LINE} WHERE orderid IS NOT NULL
        UNION ALL SELECT unnest(ARRAY[{BATCH}])
        FROM json_to_recordset(batches) AS batch (ref text, qty int, allocated int, eta json)
        CROSS JOIN LATERAL (
            SELECT CASE WHEN allocated < qty THEN with_room ELSE without END,
                   CASE WHEN allocated < qty THEN without ELSE with_room END
        ) AS places (home, elsewhere)
    ) AS commands (command)
    ORDER BY position
"""
