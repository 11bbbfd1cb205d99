-- Everything that a role which may create in public can put in front of what our SQL means, for test_shadows.c:
-- functions of the names in use with the catalog's own arguments and all others of one or two types, operators for
-- all pairs of types. Each says so when it is called, and fails.
SET search_path = pg_catalog;
CREATE SCHEMA trap;
CREATE SEQUENCE trap.called;
CREATE TABLE trap.names AS SELECT DISTINCT unnest($names$:names$names$::text[]) AS name;
DELETE FROM trap.names WHERE name = 'pg_terminate_backend'; -- only advised by us, and called by the tests
GRANT USAGE ON SCHEMA trap TO PUBLIC;
GRANT ALL ON ALL SEQUENCES IN SCHEMA trap TO PUBLIC;

-- A sequence keeps that it was called though the transaction is rolled back.
CREATE FUNCTION trap.body(what text) RETURNS text LANGUAGE sql AS $f$
SELECT format('LANGUAGE plpgsql SET search_path = pg_catalog AS %L',
              format('BEGIN PERFORM nextval(''trap.called''); RAISE EXCEPTION %L; END', 'the shadow ' || replace(what, '%', '%%') || ' was called'))
$f$;

SET check_function_bodies = off;

DO $do$
DECLARE
    types CONSTANT text[] := '{bigint,integer,smallint,text,name,varchar,numeric,double precision,interval,timestamptz,boolean,"\"char\"",jsonb,oid,xid,bigint[],text[],anyelement,anyarray}';
    operators CONSTANT text[] := '{=,<>,<,>,<=,>=,+,-,*,/,%,||,>>,&,~}';
    l text; r text; o text; result text; signature text;
    f record;
BEGIN
    FOREACH l IN ARRAY types LOOP
        FOREACH r IN ARRAY types LOOP
            -- The result is what keeps most statements valid, so that the shadow is called and not just refused.
            FOREACH result IN ARRAY '{boolean,text,bigint,interval,timestamptz,numeric,double precision}'::text[] LOOP
                EXECUTE format('CREATE FUNCTION trap.%I(%s, %s) RETURNS %s ', 'to ' || result, l, r, result) || trap.body(format('operator (%s, %s)', l, r));
            END LOOP;
            FOREACH o IN ARRAY operators LOOP
                result := coalesce((SELECT w.oprresult::regtype::text FROM pg_operator AS w
                                     WHERE w.oprname = o AND w.oprleft = l::regtype AND w.oprright = r::regtype
                                       AND w.oprresult::regtype::text = ANY ('{boolean,text,bigint,interval,numeric,double precision}')),
                                   CASE WHEN o IN ('=', '<>', '<', '>', '<=', '>=', '~', '~~', '!~', '~*') THEN 'boolean'
                                        WHEN 'timestamptz' IN (l, r) AND 'interval' IN (l, r) THEN 'timestamptz'
                                        WHEN 'interval' IN (l, r) OR l = 'timestamptz' THEN 'interval'
                                        WHEN o = '||' THEN 'text' WHEN 'numeric' IN (l, r) THEN 'numeric'
                                        WHEN 'double precision' IN (l, r) THEN 'double precision' ELSE 'bigint' END);
                EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = trap.%I)', o, l, r, 'to ' || result);
            END LOOP;
        END LOOP;
    END LOOP;
    FOR f IN SELECT DISTINCT n.name, pg_get_function_identity_arguments(p.oid) AS arguments, p.proargtypes::oid[] AS oids,
                    CASE WHEN p.proretset OR p.prorettype::regtype::text LIKE 'any%' THEN 'text' ELSE p.prorettype::regtype::text END AS result
               FROM trap.names AS n JOIN pg_proc AS p ON p.proname = n.name
              WHERE p.pronamespace = 'pg_catalog'::regnamespace AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[])
                AND NOT '"any"'::regtype = ANY (p.proargtypes::oid[]) AND NOT 'cstring'::regtype = ANY (p.proargtypes::oid[]) LOOP
        signature := (SELECT string_agg(t.oid::regtype::text, ', ' ORDER BY t.place) FROM unnest(f.oids) WITH ORDINALITY AS t(oid, place));
        BEGIN
            EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s ', f.name, signature, f.result) || trap.body(format('%s(%s)', f.name, signature));
        EXCEPTION WHEN duplicate_function OR invalid_function_definition THEN NULL;
        END;
        IF coalesce(array_length(f.oids, 1), 0) = 0 THEN CONTINUE; END IF;
        FOREACH l IN ARRAY types LOOP
            -- The last argument, or the first of two, is of another type.
            FOREACH signature IN ARRAY ARRAY[
                (SELECT string_agg(CASE WHEN t.place = array_length(f.oids, 1) THEN l ELSE t.oid::regtype::text END, ', ' ORDER BY t.place)
                   FROM unnest(f.oids) WITH ORDINALITY AS t(oid, place)),
                (SELECT string_agg(CASE WHEN t.place = 1 THEN l ELSE t.oid::regtype::text END, ', ' ORDER BY t.place)
                   FROM unnest(f.oids) WITH ORDINALITY AS t(oid, place))] LOOP
                BEGIN
                    EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s ', f.name, signature, f.result) || trap.body(format('%s(%s)', f.name, signature));
                EXCEPTION WHEN duplicate_function OR invalid_function_definition THEN NULL;
                END;
            END LOOP;
        END LOOP;
    END LOOP;
    -- Our own functions, with fewer arguments or others: what fits better than the default of an argument is called instead.
    FOR f IN SELECT p.proname AS name, p.proargtypes::oid[] AS oids, p.prorettype::regtype::text AS result FROM pg_proc AS p
              WHERE p.pronamespace = 'public'::regnamespace AND p.proname ~ '^pgqrs_' AND p.prorettype <> 'trigger'::regtype LOOP
        FOR n IN 0 .. coalesce(array_length(f.oids, 1), 0) LOOP
            FOREACH l IN ARRAY types LOOP
                signature := (SELECT string_agg(CASE WHEN t.place = n THEN l ELSE t.oid::regtype::text END, ', ' ORDER BY t.place)
                                FROM unnest(f.oids) WITH ORDINALITY AS t(oid, place) WHERE t.place <= n);
                BEGIN
                    EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s ', f.name, signature, f.result) || trap.body(format('%s(%s)', f.name, signature));
                EXCEPTION WHEN duplicate_function THEN NULL;
                END;
            END LOOP;
        END LOOP;
    END LOOP;
END
$do$;

-- What a statement was understood to mean: the shadows that a function depends on whose body is that statement.
CREATE FUNCTION trap.shadows_of(function regprocedure) RETURNS text LANGUAGE sql SET search_path = pg_catalog AS $f$
SELECT string_agg(DISTINCT pg_describe_object(d.refclassid, d.refobjid, 0), '; ')
  FROM pg_depend AS d
 WHERE d.classid = 'pg_proc'::regclass AND d.objid = function
   AND ((d.refclassid = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_proc AS p WHERE p.oid = d.refobjid AND p.prosrc ~ 'the shadow '))
        OR (d.refclassid = 'pg_operator'::regclass AND EXISTS (SELECT FROM pg_operator AS o WHERE o.oid = d.refobjid AND o.oprnamespace = 'public'::regnamespace))
        OR (d.refclassid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type AS t WHERE t.oid = d.refobjid AND t.typnamespace = 'public'::regnamespace AND t.typtype = 'd'))
        OR (d.refclassid = 'pg_collation'::regclass AND EXISTS (SELECT FROM pg_collation AS c WHERE c.oid = d.refobjid AND c.collnamespace = 'public'::regnamespace)))
$f$;

-- Types and a collation, which come first only where public comes before the catalog.
DO $do$
DECLARE
    type text;
BEGIN
    FOREACH type IN ARRAY '{text,jsonb,timestamptz,timestamp,xid,oid,name,varchar,regclass,int8,int4,"char"}'::text[] LOOP
        EXECUTE format('CREATE DOMAIN public.%I AS pg_catalog.%1$I', type);
    END LOOP;
END
$do$;
CREATE COLLATION public."C" FROM pg_catalog."POSIX";
