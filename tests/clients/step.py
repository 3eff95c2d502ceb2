"""Runs the steps of a client and prints one line for each: client, version, step, ok or FAIL, and what came back or why.
Must not know: which server it is.

A result is printed as JSON with Python's own forms of the values, so that types count. A step that hangs is a failure of that step
alone: the program starts itself again with the next one."""

import contextlib
import json
import os
import sys
import threading
import time
from urllib.parse import quote

HOST, PORT = os.environ["PGHOST"], int(os.environ["PGPORT"])
USER, PASSWORD, DATABASE = os.environ["PGUSER"], os.environ["PGPASSWORD"], os.environ["PGDATABASE"]
URL = f"postgresql://{USER}:{quote(PASSWORD)}@{HOST}:{PORT}/{DATABASE}"
# What no server finishes before it is cancelled, with a mark by which it is found among what runs.
MARK = f"step {os.getpid()}"
SLOW = f"select /* {MARK} */ count(*) from shop.orders a, shop.orders b, shop.orders c, shop.orders d"
# A join over the database and the files.
FEDERATED = (
    "select c.c_name, r.currency, count(*) as lines, sum(o.o_totalprice * r.rate) as total "
    "from shop.orders o join shop.customer c on c.c_custkey = o.o_custkey "
    "join lake.rates r on r.year = extract(year from o.o_orderdate) "
    "where o.o_orderkey <= 200 group by c.c_name, r.currency order by total desc, c.c_name, r.currency limit 7"
)
# Statements and the SQLSTATE that each is refused with.
REFUSED = [
    ("selekt 1", "42601"),
    ("select * from shop.nothing", "42P01"),
    ("select nothing from shop.orders", "42703"),
    ("select nothing(1)", "42883"),
    ("select 1 / (o_orderkey - o_orderkey) from shop.orders", "22012"),
    ("select 'x'::int", "22P02"),
]
PATIENCE = float(os.environ.get("STEP_TIMEOUT", "30"))


def plain(value):
    """How a value is shown: its type and every digit of it."""
    if isinstance(value, memoryview):
        return repr(bytes(value))
    return repr(value)


def run(client, version, steps):
    """Runs the steps, pairs of name and function, in order."""
    begin = int(os.environ.get("STEP_FROM", "0"))
    for number, (name, function) in enumerate(steps):
        if number < begin:
            continue
        watch = threading.Timer(PATIENCE, _hung, (client, version, name, number))
        watch.daemon = True
        watch.start()
        try:
            result = json.dumps(function(), default=plain, ensure_ascii=False)
            said = ("ok", result)
        except BaseException as error:
            said = ("FAIL", " ".join(f"{type(error).__name__}: {error}".split()))
        watch.cancel()
        _say(client, version, name, *said)
    sys.stdout.flush()
    # A driver's background threads must not keep the process.
    os._exit(0)


def _say(client, version, name, state, text):
    sys.stdout.write("\t".join((client, version, name, state, text)) + "\n")
    sys.stdout.flush()


def _hung(client, version, name, number):
    _say(client, version, name, "FAIL", f"no answer within {PATIENCE:g} s")
    os.environ["STEP_FROM"] = str(number + 1)
    os.execv(sys.executable, [sys.executable, *sys.argv])


def expect(condition, what):
    """Fails the step unless the condition holds."""
    if not condition:
        raise AssertionError(what)


def until_running(url=URL, asked=os.environ.get("STEP_RUNNING", ""), ended=None):
    """Waits until the server says that SLOW runs, or `ended` is set. `asked` is the query that tells, with {mark} in it."""
    import psycopg

    deadline = time.monotonic() + PATIENCE
    ended = ended or threading.Event()
    with psycopg.connect(url, autocommit=True) as watch:
        while not psycopg.ClientCursor(watch).execute(asked.replace("{mark}", MARK)).fetchone()[0]:
            expect(time.monotonic() < deadline, "the statement does not begin")
            if ended.wait(0.02):
                return


@contextlib.contextmanager
def cancelling(function, **where):
    """Calls a function, a cancel, on another thread once SLOW runs, and again until the block, which waits for its result, ends.

    PostgreSQL forgets a request that comes before the last message of a statement, which it shows as running then."""
    ended = threading.Event()

    def wait_and_call():
        until_running(**where, ended=ended)
        while not ended.is_set():
            function()
            ended.wait(0.2)

    thread = threading.Thread(target=wait_and_call, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        # What it has sent has arrived then, and ends nothing that comes after.
        thread.join()


def raised(function, state):
    """What `state` makes of the error that the function raises."""
    try:
        function()
    except Exception as error:
        return state(error)
    raise AssertionError("no error")
