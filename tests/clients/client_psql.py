"""psql, driven as a person and a script drive it. Must not know: which server it is."""

import os
import signal
import subprocess

import step

ENVIRONMENT = dict(os.environ, PAGER="cat", PSQLRC="/dev/null", LC_ALL="C.UTF-8", PGCONNECT_TIMEOUT="10", TERM="dumb")


def psql(*arguments, stdin="", **environment):
    done = subprocess.run(
        ["psql", "-X", *arguments], input=stdin, capture_output=True, text=True, timeout=step.PATIENCE - 5, env={**ENVIRONMENT, **environment}
    )
    return [done.returncode, done.stdout, done.stderr]


def script(text, *arguments):
    return lambda: psql("-v", "ON_ERROR_STOP=1", *arguments, stdin=text)


def clean(text, *arguments):
    """A script that must not say a word of error."""
    def run():
        code, out, err = script(text, *arguments)()
        step.expect(code == 0 and "ERROR" not in err, err)
        return [out, err]

    return run


def connected():
    code, out, err = psql("-At", stdin="\\conninfo\n\\echo :USER :DBNAME :ENCODING\n\\echo :SERVER_VERSION_NUM\nselect current_user;\n")
    step.expect(code == 0 and err == "", err)
    lines = out.splitlines()
    return [lines[0].replace(str(step.PORT), "PORT"), lines[1], int(lines[2]) // 10000, lines[3]]


def wrong_password():
    code, out, err = psql("-c", "select 1", PGPASSWORD="wrong")
    return [code, out, err.split("FATAL:")[1]]


def cancel():
    child = subprocess.Popen(["psql", "-X", "-At", "-v", "VERBOSITY=sqlstate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    child.stdin.write("select 'begun';\n" + step.SLOW + ";\nselect 'and on';\n")
    child.stdin.flush()
    step.expect(child.stdout.readline() == "begun\n", "nothing came")
    step.until_running()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=step.PATIENCE - 5)
    return [child.returncode, out, err]


LISTS = ["\\d", "\\dt shop.*", "\\dv shop.*", "\\di shop.*", "\\dt *.orders", "\\dm", "\\ds", "\\dE", "\\dn sh*", "\\df nothing", "\\dT numeric", "\\do +", "\\dC", "\\dx", "\\dy", "\\des", "\\dRp", "\\dconfig search_path"]
TABLES = ["\\d shop.customer", "\\d orders", "\\d shop.kinds", "\\d shop.open_orders", "\\d lake.rates"]
SELECTS = "select * from shop.kinds order by id;\n"
VERSION = subprocess.run(["psql", "--version"], capture_output=True, text=True).stdout.split()[2]
step.run("psql", VERSION, [
    ("connect", connected), ("connect/wrong password", wrong_password),
    *[(f"introspect/{one}", clean(one + "\n")) for one in LISTS],
    *[(f"introspect/{one}", clean(one + "\n")) for one in TABLES],
    ("introspect/\\d+", clean("\\d+ shop.customer\n\\dt+ shop.nothing\n")),
    ("introspect/\\gdesc", clean("select o_totalprice, o_orderdate + 1, count(*) over () from shop.orders \\gdesc\n")),
    ("query/aligned", clean(SELECTS)), ("query/csv", clean(SELECTS, "--csv")), ("query/expanded", clean(SELECTS, "-x")),
    ("query/federated", clean(step.FEDERATED + ";\n")),
    ("query/several", clean("select 1 as a\\; select 2 as b;\n\\gset\nselect 'select ' || c_custkey from customer order by 1 limit 2 \\gexec\n")),
    ("query/crosstab", clean("select o_orderstatus, extract(year from o_orderdate)::int as y, count(*) from orders group by 1, 2 order by 1, 2 \\crosstabview\n")),
    ("parameters/variables", clean("select c_name from customer where c_custkey = :key and c_mktsegment <> :'segment';\n", "-v", "key=17", "-v", "segment=it's")),
    ("parameters/execute", clean("prepare p (bigint) as select c_name from shop.customer where c_custkey = $1;\nexecute p (5);\nexecute p (6);\ndeallocate p;\n")),
    ("cursor/FETCH_COUNT", clean("select o_orderkey from shop.orders order by 1;\n", "-At", "-v", "FETCH_COUNT=100")),
    ("cursor/declare", clean("begin;\ndeclare c scroll cursor for select o_orderkey from shop.orders order by 1;\nfetch 3 from c;\nmove 5 in c;\nfetch next from c;\nfetch backward 2 from c;\nfetch last from c;\nclose c;\ncommit;\n")),
    ("copy/text", clean("\\copy shop.customer to stdout\n")), ("copy/csv", clean("copy (select * from shop.kinds order by id) to stdout (format csv, header);\n")),
    ("copy/program", clean("\\copy (select * from lake.rates order by 1, 2) to program 'wc -l' csv\n")),
    ("copy/in", clean("\\copy shop.inbox (batch, number) from stdin csv\npsql,1\npsql,2\n\\.\nselect count(*), sum(number) from shop.inbox where batch = 'psql';\n")),
    ("cancel", cancel),
    ("error", lambda: psql("-At", stdin="".join(f"{sql};\n\\echo :LAST_ERROR_SQLSTATE\n" for sql, _ in step.REFUSED))),
    ("error/verbose", lambda: psql("-v", "VERBOSITY=default", stdin="select nothing from shop.orders;\nselect * from shop.nothing;\nselect 'x'::int;\n")),
    ("error/stop", script("select 1/0;\nselect 2;\n", "-At")),
    ("error/transaction", lambda: psql("-At", "-v", "ON_ERROR_ROLLBACK=on", stdin="begin;\nselect 1/0;\nselect 2;\ncommit;\nbegin;\n\\set ON_ERROR_ROLLBACK off\nselect 1/0;\nselect 2;\ncommit;\n")),
])
