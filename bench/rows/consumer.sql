-- What a consumer holds after %(rows)s messages, one every 2 seconds until now, those of the
-- producer's orders: nearly all are delivered, 1 in 500 is dead, 1 in 1000 waits for a host that
-- does not answer.
SET session_replication_role = replica;  -- the rows are made to fit: no trigger has to see to it
SET synchronous_commit = off;
SET statement_timeout = 0;
SET work_mem = '256MB';

INSERT INTO django_celery_results_taskresult (task_id, status, content_type, content_encoding,
    result, date_created, date_done, task_name, worker)
SELECT md5('task' || i)::uuid, CASE WHEN i %% 50 = 1 THEN 'FAILURE' ELSE 'SUCCESS' END,
    'application/json', 'utf-8', CASE WHEN i %% 50 = 1
        THEN '{"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "builtins"}'
        ELSE '"TND' || upper(substr(md5('key' || i), 1, 16)) || 'pending"' END,
    at, at + interval '40 milliseconds', 'messaging.process_message', 'consumer-worker@here'
FROM generate_series(1, %(rows)s) AS i,
    LATERAL (SELECT now() - (%(rows)s - i) * interval '2 seconds' AS at) AS times;

-- In one statement: hosts without messages are deleted each minute.
WITH hosts AS (
    INSERT INTO messaging_host (name, failures, open_until, failing_since)
    SELECT 'https://shop-' || i || '.example:443', CASE WHEN i = 7 THEN 5 ELSE 0 END,
        CASE WHEN i = 7 THEN now() + interval '10 days' END,
        CASE WHEN i = 7 THEN now() - interval '1 hour' END
    FROM generate_series(1, 200) AS i RETURNING id)
INSERT INTO messaging_message (due_at, claims, attempts, last_error, message_id, address,
    phone_number, order_key, status, currency, webhook_url, webhook_api_key, state, executions,
    delivering_since, created_at, request_id, host_id, task_id)
SELECT CASE WHEN waits THEN now() + interval '10 days' END, 2, CASE WHEN dies THEN 12 ELSE 1 END,
    CASE WHEN dies THEN '503' WHEN waits THEN 'ConnectTimeout' ELSE '' END,
    md5('order' || i)::uuid, 'Ariana Nkhilet', '+21658741196',
    upper(substr(md5('key' || i), 1, 16)), 'pending', 'TND',
    'https://shop.example/api/v1/data/orders/' || md5('order' || i)::uuid || '/status/update', '',
    CASE WHEN dies THEN 'dead' WHEN waits THEN 'delivering' ELSE 'delivered' END, 0,
    at + interval '40 milliseconds', at, md5('request' || i),
    CASE WHEN waits THEN first.id + 6 ELSE first.id + i %% 200 END, task.id
FROM generate_series(1, %(rows)s) AS i
    JOIN django_celery_results_taskresult AS task ON task.task_id = md5('task' || i)::uuid::text,
    LATERAL (SELECT now() - (%(rows)s - i) * interval '2 seconds' AS at,
        i %% 500 = 2 AS dies, i %% 1000 = 3 AS waits) AS about,
    (SELECT min(id) AS id FROM hosts) AS first
ORDER BY i;

INSERT INTO messaging_deliveryattempt (at, ms, status, error, message_id)
SELECT delivering_since + interval '10 milliseconds', 15,
    CASE WHEN state = 'delivered' THEN 200 WHEN state = 'dead' THEN 503 END,
    CASE WHEN state = 'delivering' THEN 'ConnectTimeout' ELSE '' END, id
FROM messaging_message ORDER BY id;

INSERT INTO messaging_taskapikey (id, prefix, hashed_key, created, name, revoked, expiry_date,
    task_id)
SELECT prefix || '.sha512$' || hash, prefix, 'sha512$' || hash, date_created, 'reader', false,
    NULL, id
FROM django_celery_results_taskresult, LATERAL (SELECT lpad(to_hex(id), 8, '0') AS prefix,
    repeat(md5(id::text), 4) AS hash) AS made
ORDER BY id;

VACUUM ANALYZE;
