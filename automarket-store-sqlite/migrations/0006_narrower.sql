-- Each index here is written once for each job that ends. Dead jobs are looked for by tenant; those that ended
-- well only by their place, their key and their time.
DROP INDEX automarket_ended_of_tenant;
DROP INDEX automarket_ended_dead;
CREATE INDEX automarket_ended_dead ON automarket_ended (tenant, place) WHERE state = 'dead';
