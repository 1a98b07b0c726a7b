-- A shop's own schema: keys of several types, and nothing that was made for a cache.
CREATE TABLE products (
    sku TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    cents INTEGER NOT NULL,
    tags JSON NOT NULL
);
CREATE TABLE stock (
    warehouse INTEGER NOT NULL,
    sku TEXT NOT NULL REFERENCES products,
    amount INTEGER NOT NULL,
    PRIMARY KEY (warehouse, sku)
);
INSERT INTO products VALUES
    ('T-1', 'Grüner Tee', 450, '["tea", "organic"]'),
    ('T-2', 'Schwarzer Tee', 390, '["tea"]'),
    ('M-1', 'Mate', 325, '["organic"]'),
    ('K-1', 'Kaffee', 700, '[]');
INSERT INTO stock VALUES (1, 'T-1', 12), (1, 'K-1', 3), (2, 'T-1', 40), (2, 'T-2', 7), (2, 'M-1', 0);
