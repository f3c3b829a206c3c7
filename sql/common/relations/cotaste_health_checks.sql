-- cotaste_health_checks: what cotaste_health is made of, a row each; a notice is worth knowing and does not change the health
-- column: name text
-- column: status text
-- column: value text
-- column: threshold text
-- column: advice text
-- with: health_checks
select name, status, value, threshold, case when status <> 'ok' then advice end as advice
from checks
order by place
