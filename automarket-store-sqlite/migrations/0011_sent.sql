-- What was sent and has ended, by its last change in whole seconds: what a look for a lost answer asks for. (strftime: whoever
-- makes a copy by SQLite's own means needs every function of an index, and unixepoch is of 3.38.)
CREATE INDEX automarket_publications_sent
    ON automarket_publications (tenant, route, CAST(strftime('%s', json_extract(body, '$.updated_at')) AS INTEGER))
    WHERE live = 0 AND json_valid(body) AND json_extract(body, '$.sent_at') IS NOT NULL
        AND json_extract(body, '$.updated_at') GLOB '[0-9]*';
