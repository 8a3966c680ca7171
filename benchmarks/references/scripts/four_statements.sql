-- The least that an allocation must write: four plain statements by primary key. Keep them unchanged.
\set order random(1, 1000000000000)
BEGIN;
UPDATE products SET version = version + 1 WHERE sku = 'sku-' || :name;
UPDATE batches SET allocated = allocated + 1 WHERE ref = 'batch-' || :name;
INSERT INTO lines VALUES ('order-' || :client_id || '-' || :order, 'sku-' || :name, 1, 'batch-' || :name)
    ON CONFLICT DO NOTHING;
INSERT INTO events (stream, version, type, data) VALUES (
    'sku-' || :name, :order, 'Allocated',
    jsonb_build_object('orderid', 'order-' || :client_id || '-' || :order, 'sku', 'sku-' || :name, 'qty', 1,
                       'batchref', 'batch-' || :name)
);
COMMIT;
