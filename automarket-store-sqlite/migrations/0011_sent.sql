-- What was sent and has ended, by its last change in whole seconds: what a look for a lost answer asks for.
CREATE INDEX automarket_publications_sent
    ON automarket_publications (tenant, route, unixepoch(json_extract(body, '$.updated_at')))
    WHERE live = 0 AND json_valid(body) AND json_extract(body, '$.sent_at') IS NOT NULL;
