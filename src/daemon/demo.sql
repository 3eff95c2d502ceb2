select c.region,
       count(distinct p.customer_id) as customers,
       count(*) as orders,
       round(sum(o.amount / r.per_euro), 2) as revenue_eur,
       sum(e.visits) as visits
from lake.orders o
join crm.customer p on p.customer_id = o.customer_id
join crm.country c on c.code = p.country_code
join lake.rates r on r.day = o.ordered_on and r.currency = o.currency
left join (select customer_id, count(*) as visits from lake.events group by customer_id) e on e.customer_id = p.customer_id
where p.tier in ('gold', 'plus')
group by c.region
order by revenue_eur desc
limit 5
