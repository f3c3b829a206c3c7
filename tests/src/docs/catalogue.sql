-- What a space offers, as one JSON text: of each name its comment, its forms as a function and its columns as a relation.
select cast(json_object_agg(o.name, json_build_object(
  'kind', o.kind, 'comment', o.comment, 'forms', o.forms, 'columns', o.columns) order by o.name) as text)
from (
  select
    coalesce(f.name, r.name) as name,
    coalesce(r.kind, f.kind) as kind,
    coalesce(r.comment, f.comment) as comment,
    coalesce(f.forms, '[]') as forms,
    coalesce(r.columns, f.columns) as columns
  from (
    select
      cast(p.proname as text) as name,
      case max(p.prokind) when 'a' then 'aggregate' else 'function' end as kind,
      -- Of the forms of a function the one for texts comes first and has the whole comment.
      (array_agg(d.description order by d.description like '% for users with %', p.proargtypes[0] <> 25, p.oid))[1] as comment,
      json_agg(json_build_object('arguments', a.arguments, 'result', s.result)
        order by d.description like '% for users with %', p.proargtypes[0] <> 25, p.oid) as forms,
      max(s.columns) as columns
    from pg_proc p
    left join pg_description d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass
    cross join lateral (
      select coalesce(json_agg(json_build_array(
        coalesce(p.proargnames[i], ''),
        format_type(p.proargtypes[i - 1], null),
        pg_get_function_arg_default(p.oid, i)) order by i), '[]') as arguments
      from generate_series(1, p.pronargs) i
    ) a
    cross join lateral (
      select
        case when p.proretset then 'rows' else format_type(p.prorettype, null) end as result,
        case when p.proretset then (
          select string_agg(p.proargnames[i] || ' ' || format_type(p.proallargtypes[i], null), ', ' order by i)
          from generate_series(1, array_length(p.proallargtypes, 1)) i
          where p.proargmodes[i] in ('t', 'o')
        ) end as columns
    ) s
    where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype
      and not exists (select from unnest(p.proargtypes::oid[]) t where t = 'cotaste_unset'::regtype)
      and d.description not like 'part of %'
      and not exists (select from pg_type t where p.oid in (t.typinput, t.typoutput, t.typreceive, t.typsend))
    group by p.proname
  ) f
  full join (
    select
      cast(c.relname as text) as name,
      case c.relkind when 'r' then 'table' else 'view' end as kind,
      obj_description(c.oid, 'pg_class') as comment,
      (select string_agg(a.attname || ' ' || format_type(a.atttypid, null), ', ' order by a.attnum)
       from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
  ) r on r.name = f.name
) o
