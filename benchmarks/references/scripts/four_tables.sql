-- The tables of the four statements: five columns, a primary key, and no foreign key.
CREATE TABLE products (sku text PRIMARY KEY, version bigint, available bigint, waiting_lines bigint, waiting_units bigint);
CREATE TABLE batches (ref text PRIMARY KEY, sku text, purchased int, allocated int, eta date);
CREATE TABLE lines (orderid text, sku text, qty int, ref text, version bigint, PRIMARY KEY (orderid, sku));
CREATE TABLE events (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text, version bigint, type text, data jsonb
);
INSERT INTO products SELECT 'sku-' || name, 1, 100000000, 0, 0 FROM generate_series(0, 999) AS name;
INSERT INTO products VALUES ('sku-hot', 1, 100000000, 0, 0);
INSERT INTO batches SELECT 'batch-' || name, 'sku-' || name, 100000000, 0, NULL FROM generate_series(0, 999) AS name;
INSERT INTO batches VALUES ('batch-hot', 'sku-hot', 100000000, 0, NULL);
