// node-postgres with pg-cursor and pg-copy-streams. Must not know: which server it is.
// NODE_PATH says where the packages are.
'use strict'

const { Client, Pool } = require('pg')
const Cursor = require('pg-cursor')
const { version } = require('pg/package.json')

const PATIENCE = Number(process.env.STEP_TIMEOUT || '30')
// With a mark by which it is found among what runs.
const MARK = `step ${process.pid}`
const SLOW = `select /* ${MARK} */ count(*) from shop.orders a, shop.orders b, shop.orders c, shop.orders d`
const REFUSED = ['selekt 1', 'select * from shop.nothing', 'select nothing from shop.orders', 'select nothing(1)',
  'select 1 / (o_orderkey - o_orderkey) from shop.orders', "select 'x'::int"]
const STATES = ['42601', '42P01', '42703', '42883', '22012', '22P02']

async function connect(more) {
  const client = new Client(more)
  client.on('error', () => {})
  await client.connect()
  return client
}

async function using(more, body) {
  const client = await connect(more)
  try {
    return await body(client)
  } finally {
    await client.end()
  }
}

const state = (error) => [error.code, error.message, error.position]

async function refused(promise) {
  try {
    await promise
  } catch (error) {
    return state(error)
  }
  throw new Error('no error')
}

const shown = (result) => [result.command, result.rowCount, result.fields.map((f) => [f.name, f.dataTypeID, f.dataTypeModifier, f.format]), result.rows]


// Waits until the server says that SLOW runs; the step's own deadline ends it.
const untilRunning = () => using({}, async (watch) => {
  const asked = process.env.STEP_RUNNING.replace('{mark}', MARK)
  while (!Object.values((await watch.query(asked)).rows[0])[0]) await new Promise((resolve) => setTimeout(resolve, 20))
})

const steps = {
  connect: () => using({}, async (c) => (await c.query('select current_user, current_database(), current_setting($1)', ['client_encoding'])).rows),
  'connect/wrong password': () => refused(connect({ password: 'wrong' })),
  'connect/settings': () => using({ application_name: 'mine', statement_timeout: 90000, options: '-c search_path=lake', idle_in_transaction_session_timeout: 80000 }, async (c) =>
    (await c.query("select current_setting('application_name') a, current_setting('statement_timeout') b, current_setting('search_path') c, current_setting('idle_in_transaction_session_timeout') d")).rows),
  'connect/pool': async () => {
    const pool = new Pool({ max: 3 })
    const found = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => pool.query('select c_name from shop.customer where c_custkey = $1', [n])))
    await pool.end()
    return found.map((r) => r.rows[0].c_name)
  },
  introspect: () => using({}, async (c) => (await c.query(
    `select table_schema, table_name, column_name, data_type, is_nullable, column_default, character_maximum_length, numeric_precision, numeric_scale
     from information_schema.columns where table_schema = $1 order by table_name, ordinal_position`, ['shop'])).rows),
  'introspect/keys': () => using({}, async (c) => (await c.query(
    'select conrelid::regclass::text as table_name, conname, contype, conkey, pg_get_constraintdef(oid) as definition from pg_constraint where connamespace = $1::regnamespace order by 1, 2', ['shop'])).rows),
  query: () => using({}, async (c) => shown(await c.query('select * from shop.kinds order by id'))),
  'query/binary': () => using({ binary: true }, async (c) => shown(await c.query({ text: 'select id, truth, big, single, double, words, moment from shop.kinds where id < $1 order by id', values: [3] }))),
  'query/federated': () => using({}, async (c) => shown(await c.query(
    `select c.c_name, r.currency, count(*) as lines, sum(o.o_totalprice * r.rate) as total from shop.orders o join shop.customer c on c.c_custkey = o.o_custkey
     join lake.rates r on r.year = extract(year from o.o_orderdate) where o.o_orderkey <= 200 group by c.c_name, r.currency order by total desc, c.c_name, r.currency limit 7`))),
  'query/several': () => using({}, async (c) => (await c.query("select 1 as a; set application_name = 'x'; select 'b' as b, 2 as c")).map((r) => [r.command, r.rows])),
  'query/array rows': () => using({}, async (c) => (await c.query({ text: 'select c_custkey, c_custkey from shop.customer order by 1 limit 2', rowMode: 'array' })).rows),
  'parameters/text': () => using({}, async (c) => {
    const values = [['int', 7], ['bigint', '1099511627776'], ['numeric', '-12.3400'], ['float8', 1.1], ['text', 'ü\'"\\'], ['bool', true], ['timestamptz', new Date(Date.UTC(2024, 1, 29, 1, 2, 3))],
      ['uuid', '00000000-0000-0000-0000-000000000005'], ['bytea', Buffer.from([0, 255])], ['int[]', [1, null, 3]], ['text[]', ['a', 'b"c', null]], ['json', { a: 1 }], ['jsonb', JSON.stringify([1, 2])], ['int', null]]
    const out = []
    for (const [kind, value] of values) out.push((await c.query(`select $1::${kind} as v`, [value])).rows)
    out.push((await c.query(`select o_orderkey, o_totalprice from shop.orders where o_orderkey > $1 and o_orderdate < $2 and o_totalprice > $3 and o_custkey = any($4) and o_orderstatus <> $5
      order by 1 limit $6`, [3, '1997-01-01', 10.5, [5, 18, 44, 70], 'P', 4])).rows)
    return out
  }),
  'parameters/named': () => using({}, async (c) => {
    const out = []
    for (let year = 1992; year < 1999; year++) out.push((await c.query({ name: 'rate', text: 'select rate from lake.rates where year = $1 and currency = $2', values: [year, 'EUR'] })).rows)
    return out
  }),
  'parameters/pipelined': () => using({}, async (c) =>
    (await Promise.all([1, 2, 3].map((n) => c.query('select c_name from shop.customer where c_custkey = $1', [n])))).map((r) => r.rows)),
  cursor: () => using({}, async (c) => {
    const cursor = c.query(new Cursor('select o_orderkey from shop.orders where o_orderkey > $1 order by 1', [5]))
    const sizes = []
    let sum = 0
    for (;;) {
      const rows = await cursor.read(400)
      if (rows.length === 0) break
      sizes.push(rows.length)
      for (const row of rows) sum += Number(row.o_orderkey)
    }
    return [sizes, sum, (await c.query('select 1 as one')).rows]
  }),
  'cursor/closed early': () => using({}, async (c) => {
    const cursor = c.query(new Cursor('select year, currency, rate from lake.rates order by 1, 2'))
    const first = await cursor.read(3)
    await cursor.close()
    return [first, (await c.query('select 1 as one')).rows]
  }),
  'cursor/two in a transaction': () => using({}, async (c) => {
    await c.query('begin')
    await c.query('declare a cursor for select o_orderkey from shop.orders order by 1')
    await c.query('declare b cursor for select year, currency from lake.rates order by 1, 2')
    const out = []
    for (const name of ['a', 'b', 'a', 'b']) out.push((await c.query(`fetch 3 from ${name}`)).rows)
    await c.query('close all')
    await c.query('commit')
    return out
  }),
  'copy/text': () => using({}, async (c) => {
    const { to } = require('pg-copy-streams')
    const parts = []
    for await (const part of c.query(to('copy shop.customer to stdout'))) parts.push(part)
    return Buffer.concat(parts).toString()
  }),
  'copy/in': () => using({}, async (c) => {
    const { from } = require('pg-copy-streams')
    const { pipeline } = require('stream/promises')
    const { Readable } = require('stream')
    const lines = Array.from({ length: 200 }, (_, n) => `node\t${n}\t\\N\t\\N\n`)
    const stream = c.query(from('copy shop.inbox from stdin'))
    await pipeline(Readable.from(lines), stream)
    return [stream.rowCount, (await c.query("select count(*), sum(number) from shop.inbox where batch = 'node'")).rows]
  }),
  cancel: () => using({}, async (c) => {
    const { Query } = require('pg')
    const query = new Query(SLOW)
    const ended = refused(new Promise((resolve, reject) => {
      query.on('error', reject)
      query.on('end', resolve)
    }))
    c.query(query)
    await untilRunning()
    const other = new Client()
    other.on('error', () => {})
    other.cancel(c, query)
    return [await ended, (await c.query('select 1 as one')).rows]
  }),
  'cancel/timeout': () => using({ statement_timeout: 300 }, (c) => refused(c.query(SLOW))),
  error: () => using({}, async (c) => {
    const out = []
    for (const sql of REFUSED) out.push(await refused(c.query(sql)))
    if (out.some((e, n) => e[0] !== STATES[n])) throw new Error(JSON.stringify(out))
    return [out, (await c.query('select 2 as two')).rows]
  }),
  'error/extended': () => using({}, async (c) => {
    const out = []
    for (const sql of REFUSED) out.push(await refused(c.query({ text: sql, values: [], queryMode: 'extended' })))
    return [out, await refused(c.query('select $1::int', ['x'])), await refused(c.query('select $1::int, $2::int', [1]))]
  }),
  'error/transaction': () => using({}, async (c) => {
    await c.query('begin isolation level repeatable read read only')
    const first = await refused(c.query('select 1/0'))
    const second = await refused(c.query('select 1'))
    const ended = (await c.query('commit')).command
    return [first, second, ended, (await c.query('select 3 as three')).rows]
  }),
}

async function main() {
  for (const [name, body] of Object.entries(steps)) {
    let timer
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE} s`)), PATIENCE * 1000) })
    let line
    try {
      line = ['ok', JSON.stringify(await Promise.race([body(), late]))]
    } catch (error) {
      line = ['FAIL', `${error.code || error.name}: ${error.message}`.replace(/\s+/g, ' ')]
    }
    clearTimeout(timer)
    console.log(['node-postgres', version, name, ...line].join('\t'))
  }
  process.exit(0)
}

main()
