-- The stock of the seven statements: a batch for each SKU, and one for the hot SKU.
INSERT INTO products (sku, version, available) SELECT 'sku-' || name, 1, 100000000 FROM generate_series(0, 999) AS name;
INSERT INTO products (sku, version, available) VALUES ('sku-hot', 1, 100000000);
INSERT INTO batches (ref, sku, purchased, created_qty, version)
SELECT 'batch-' || name, 'sku-' || name, 100000000, 100000000, 1 FROM generate_series(0, 999) AS name;
INSERT INTO batches (ref, sku, purchased, created_qty, version) VALUES ('batch-hot', 'sku-hot', 100000000, 100000000, 1);
