-- What a producer holds after %(rows)s orders, one every 2 seconds until now: nearly all are
-- confirmed, 1 in 50 is cancelled, 1 in 1000 was refused by the consumer. One customer in a
-- thousand, the launcher's, has a tenth of them.
SET session_replication_role = replica;  -- the rows are made to fit: no trigger has to see to it
SET synchronous_commit = off;
SET statement_timeout = 0;
SET work_mem = '256MB';

INSERT INTO users_customuser (password, is_superuser, first_name, last_name, is_staff, is_active,
    date_joined, username, email, phone_number)
SELECT '!', false, '', '', false, true, now(), 'bench-' || i, 'bench-' || i || '@example.com', ''
FROM generate_series(1, 1000) AS i;

INSERT INTO orders_order (due_at, claims, attempts, last_error, uuid, address, phone_number,
    created_at, updated_at, total_paid, currency, order_key, status, message, task_id,
    idempotency_digest, user_id, request_id)
SELECT CASE WHEN i %% 1000 = 0 THEN NULL ELSE at + interval '20 seconds' END, 1, 1,
    CASE WHEN i %% 1000 = 0 THEN 'refused: 400 phone_number: it is not one' ELSE '' END,
    md5('order' || i)::uuid, 'Ariana Nkhilet', '+21658741196',
    at, at + interval '80 milliseconds', 50, CASE WHEN i %% 4 = 0 THEN 'EUR' ELSE 'TND' END,
    upper(substr(md5('key' || i), 1, 16)),
    CASE WHEN i %% 1000 = 0 THEN 'pending' WHEN i %% 50 = 1 THEN 'cancelled' ELSE 'confirmed' END,
    jsonb_build_object('message_id', md5('order' || i)::uuid, 'address', 'Ariana Nkhilet',
        'phone_number', '+21658741196', 'order_key', upper(substr(md5('key' || i), 1, 16)),
        'status', 'pending', 'currency', 'TND'),
    CASE WHEN i %% 1000 = 0 THEN '' ELSE md5('task' || i)::uuid::text END, '',
    CASE WHEN i %% 10 = 0 THEN launcher.id ELSE first.id + i %% 1000 END, md5('request' || i)
FROM generate_series(1, %(rows)s) AS i,
    LATERAL (SELECT now() - (%(rows)s - i) * interval '2 seconds' AS at) AS times,
    (SELECT id FROM users_customuser WHERE username = 'launcher-demo') AS launcher,
    (SELECT min(id) AS id FROM users_customuser WHERE username LIKE 'bench-%%') AS first;

INSERT INTO orders_orderitem (item_name, price, quantity, order_id)
SELECT 'item' || n, 25, 1, id FROM orders_order, generate_series(1, 2) AS n ORDER BY id;

INSERT INTO orders_orderapikey (id, prefix, hashed_key, created, name, revoked, expiry_date,
    order_id)
SELECT prefix || '.sha512$' || hash, prefix, 'sha512$' || hash, created_at, 'webhook', false,
    created_at + interval '30 days', id
FROM orders_order, LATERAL (SELECT lpad(to_hex(id), 8, '0') AS prefix,
    repeat(md5(id::text), 4) AS hash) AS made
ORDER BY id;

INSERT INTO orders_sendattempt (at, ms, status, error, order_id)
SELECT created_at, 12, CASE WHEN task_id = '' THEN 400 ELSE 202 END, '', id
FROM orders_order ORDER BY id;

INSERT INTO orders_taskresult (task_id, result, order_id, created_at)
SELECT task_id, currency || order_key || 'pending', id, updated_at
FROM orders_order WHERE task_id <> '' ORDER BY id;

VACUUM ANALYZE;
