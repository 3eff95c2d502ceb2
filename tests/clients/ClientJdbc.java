// pgjdbc as its users use it, with and without fetch size. Must not know: which server it is.
// Run as a source file: java -cp postgresql.jar ClientJdbc.java

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.StringReader;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;
import org.postgresql.PGConnection;
import org.postgresql.util.PSQLException;

public class ClientJdbc {
    interface Step {
        Object run() throws Exception;
    }

    static final String HOST = System.getenv("PGHOST"), PORT = System.getenv("PGPORT"), DATABASE = System.getenv("PGDATABASE");
    static final long PATIENCE = Long.parseLong(System.getenv().getOrDefault("STEP_TIMEOUT", "30"));
    // With a mark by which it is found among what runs.
    static final String MARK = "step " + ProcessHandle.current().pid();
    static final String SLOW = "select /* " + MARK + " */ count(*) from shop.orders a, shop.orders b, shop.orders c, shop.orders d";
    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    static String version;

    static void step(String name, Step body) throws Exception {
        // A thread of its own each: one that hangs is left behind.
        FutureTask<Object> task = new FutureTask<>(body::run);
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        thread.start();
        String state = "ok", text;
        try {
            text = shown(task.get(PATIENCE, TimeUnit.SECONDS));
        } catch (TimeoutException late) {
            state = "FAIL";
            text = "no answer within " + PATIENCE + " s";
        } catch (ExecutionException failed) {
            state = "FAIL";
            Throwable cause = failed.getCause();
            text = (cause.getClass().getSimpleName() + ": " + cause.getMessage()).replaceAll("\\s+", " ");
        }
        OUT.println(String.join("\t", "pgjdbc", version, name, state, text));
    }

    /** A value as text in which its class counts, on one line. */
    static String shown(Object value) {
        if (value == null) return "null";
        if (value instanceof Object[] array) value = Arrays.asList(array);
        if (value instanceof byte[] bytes) return "bytes " + HexFormat.of().formatHex(bytes);
        if (value instanceof List<?> list) {
            StringJoiner joiner = new StringJoiner(", ", "[", "]");
            for (Object one : list) joiner.add(shown(one));
            return joiner.toString();
        }
        if (value instanceof java.sql.Array array) {
            try {
                return "Array " + array.getBaseTypeName() + shown(array.getArray());
            } catch (SQLException error) {
                return "Array " + error.getMessage();
            }
        }
        if (value instanceof String text) return "\"" + text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") + "\"";
        if (value instanceof Integer || value instanceof Boolean) return value.toString();
        return value.getClass().getSimpleName() + " " + value;
    }

    static Connection connect(String... options) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        for (int n = 0; n < options.length; n += 2) properties.setProperty(options[n], options[n + 1]);
        return DriverManager.getConnection("jdbc:postgresql://" + HOST + ":" + PORT + "/" + DATABASE, properties);
    }

    static List<Object> rows(ResultSet found) throws SQLException {
        List<Object> out = new ArrayList<>();
        int width = found.getMetaData().getColumnCount();
        while (found.next()) {
            List<Object> row = new ArrayList<>();
            for (int n = 1; n <= width; n++) row.add(found.getObject(n));
            out.add(row);
        }
        found.close();
        return out;
    }

    static List<Object> columns(ResultSet found, String... names) throws SQLException {
        List<Object> out = new ArrayList<>();
        while (found.next()) {
            List<Object> row = new ArrayList<>();
            for (String name : names) row.add(found.getObject(name));
            out.add(row);
        }
        found.close();
        return out;
    }

    static List<Object> query(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            return rows(s.executeQuery(sql));
        }
    }

    static Object refused(Callable<Object> body) throws Exception {
        try {
            body.call();
        } catch (PSQLException error) {
            var said = error.getServerErrorMessage();
            return said == null ? error.getSQLState() + " " + error.getMessage() : Arrays.asList(error.getSQLState(), said.getMessage(), said.getPosition());
        }
        throw new AssertionError("no error");
    }

    static Object metadata() throws SQLException {
        try (Connection c = connect()) {
            DatabaseMetaData m = c.getMetaData();
            List<Object> schemas = columns(m.getSchemas(), "TABLE_SCHEM");
            schemas.retainAll(List.of(List.of("shop"), List.of("lake")));
            return List.of(schemas, columns(m.getTables(null, "shop", "%", new String[] {"TABLE", "VIEW"}), "TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS"),
                columns(m.getColumns(null, "shop", "%", null), "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME", "COLUMN_SIZE", "DECIMAL_DIGITS", "NULLABLE", "COLUMN_DEF", "REMARKS", "ORDINAL_POSITION"));
        }
    }

    static Object keys() throws SQLException {
        try (Connection c = connect()) {
            DatabaseMetaData m = c.getMetaData();
            String[] foreign = {"PKTABLE_SCHEM", "PKTABLE_NAME", "PKCOLUMN_NAME", "FKTABLE_NAME", "FKCOLUMN_NAME", "KEY_SEQ", "FK_NAME", "PK_NAME"};
            return List.of(columns(m.getPrimaryKeys(null, "shop", "orders"), "COLUMN_NAME", "KEY_SEQ", "PK_NAME"),
                columns(m.getImportedKeys(null, "shop", "orders"), foreign), columns(m.getExportedKeys(null, "shop", "customer"), foreign),
                columns(m.getIndexInfo(null, "shop", "orders", false, true), "INDEX_NAME", "NON_UNIQUE", "COLUMN_NAME", "ORDINAL_POSITION", "ASC_OR_DESC"),
                columns(m.getBestRowIdentifier(null, "shop", "orders", DatabaseMetaData.bestRowSession, false), "COLUMN_NAME", "TYPE_NAME"));
        }
    }

    static Object kindsOfTypes() throws SQLException {
        try (Connection c = connect()) {
            DatabaseMetaData m = c.getMetaData();
            List<Object> types = new ArrayList<>();
            for (Object row : columns(m.getTypeInfo(), "TYPE_NAME", "DATA_TYPE", "PRECISION"))
                if (List.of("bool", "int4", "int8", "numeric", "text", "varchar", "date", "timestamptz", "uuid", "jsonb", "_int4").contains(((List<?>) row).get(0))) types.add(row);
            types.sort(Comparator.comparing(Object::toString));
            return List.of(types, columns(m.getTableTypes(), "TABLE_TYPE"), columns(m.getCatalogs(), "TABLE_CAT").contains(List.of(DATABASE)), m.getDatabaseMajorVersion(), m.getSQLKeywords().length() > 100);
        }
    }

    static Object resultMetadata() throws SQLException {
        try (Connection c = connect(); PreparedStatement s = c.prepareStatement("select k.*, c_name as n from shop.kinds k, shop.customer where id = ? and day > ? and c_custkey = ?")) {
            List<Object> out = new ArrayList<>();
            ParameterMetaData p = s.getParameterMetaData();
            for (int n = 1; n <= p.getParameterCount(); n++) out.add(p.getParameterTypeName(n));
            ResultSetMetaData m = s.getMetaData();
            for (int n = 1; n <= m.getColumnCount(); n++)
                out.add(List.of(m.getColumnLabel(n), m.getColumnTypeName(n), m.getColumnType(n), m.getPrecision(n), m.getScale(n), m.getTableName(n), m.isNullable(n), ((org.postgresql.PGResultSetMetaData) m).getBaseColumnName(n)));
            return out;
        }
    }

    /** Each type as text and, after as many runs as the driver waits for, in binary. */
    static Object kinds(String... options) throws SQLException {
        List<Object> out = new ArrayList<>();
        try (Connection c = connect(options); PreparedStatement s = c.prepareStatement("select * from shop.kinds order by id")) {
            for (int n = 0; n < 3; n++) out.add(rows(s.executeQuery()));
        }
        return out;
    }

    static Object federated() throws SQLException {
        try (Connection c = connect()) {
            return query(c, "select c.c_name, r.currency, count(*) as lines, sum(o.o_totalprice * r.rate) as total from shop.orders o join shop.customer c on c.c_custkey = o.o_custkey "
                + "join lake.rates r on r.year = extract(year from o.o_orderdate) where o.o_orderkey <= 200 group by c.c_name, r.currency order by total desc, c.c_name, r.currency limit 7");
        }
    }

    static Object parameters(String... options) throws SQLException {
        List<Object> out = new ArrayList<>();
        try (Connection c = connect(options)) {
            Object[][] values = {{"int", 7}, {"bigint", 1L << 40}, {"numeric", new BigDecimal("-12.3400")}, {"float8", 1.1}, {"text", "ü'\"\\"}, {"bool", true}, {"date", LocalDate.of(2024, 2, 29)},
                {"timestamp", LocalDateTime.of(2024, 2, 29, 1, 2, 3, 4000)}, {"timestamptz", OffsetDateTime.of(2024, 2, 29, 1, 2, 3, 0, ZoneOffset.UTC)}, {"time", LocalTime.of(1, 2, 3)},
                {"uuid", new UUID(0, 5)}, {"bytea", new byte[] {0, -1}}, {"int[]", c.createArrayOf("int4", new Object[] {1, null, 3})}, {"text[]", c.createArrayOf("text", new Object[] {"a", "b\"c", null})}, {"int", null}};
            for (Object[] value : values) {
                // The driver itself has no bytes in simple mode.
                if (value[0].equals("bytea") && Arrays.asList(options).contains("simple")) continue;
                try (PreparedStatement s = c.prepareStatement("select cast(? as " + value[0] + ")")) {
                    for (int n = 0; n < 2; n++) {
                        s.setObject(1, value[1]);
                        out.add(rows(s.executeQuery()));
                    }
                }
            }
            try (PreparedStatement s = c.prepareStatement("select o_orderkey, o_totalprice from shop.orders where o_orderkey > ? and o_orderdate < ? and o_totalprice > ? and o_custkey = any(?) and o_orderstatus <> ? order by 1 limit ?")) {
                for (int n = 0; n < 7; n++) {
                    s.setInt(1, 3 + n);
                    s.setDate(2, java.sql.Date.valueOf("1997-01-01"));
                    s.setBigDecimal(3, new BigDecimal("10.5"));
                    s.setArray(4, c.createArrayOf("bigint", new Long[] {5L, 18L, 44L, 70L}));
                    s.setString(5, "P");
                    s.setInt(6, 3);
                    out.add(rows(s.executeQuery()));
                }
            }
        }
        return out;
    }

    static Object fetchSize(int size, String sql, String... options) throws SQLException {
        try (Connection c = connect(options)) {
            c.setAutoCommit(false);
            try (PreparedStatement s = c.prepareStatement(sql)) {
                s.setFetchSize(size);
                List<Object> out = new ArrayList<>();
                for (int n = 0; n < 2; n++) {
                    List<Object> found = rows(s.executeQuery());
                    out.add(List.of(found.size(), found.get(0), found.get(found.size() - 1)));
                }
                c.commit();
                return out;
            }
        }
    }

    static Object twoPortals() throws SQLException {
        try (Connection c = connect()) {
            c.setAutoCommit(false);
            try (Statement a = c.createStatement(); Statement b = c.createStatement()) {
                a.setFetchSize(7);
                b.setFetchSize(5);
                ResultSet x = a.executeQuery("select o_orderkey from shop.orders order by 1"), y = b.executeQuery("select year, currency from lake.rates order by 1, 2");
                long sum = 0;
                while (x.next() && y.next()) sum += x.getLong(1) * y.getInt(1);
                c.commit();
                return sum;
            }
        }
    }

    static Object copyOut(String sql) throws Exception {
        try (Connection c = connect()) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            long rows = c.unwrap(PGConnection.class).getCopyAPI().copyOut(sql, out);
            return List.of(rows, out.toByteArray());
        }
    }

    static Object copyIn() throws Exception {
        try (Connection c = connect()) {
            StringBuilder lines = new StringBuilder();
            for (int n = 0; n < 400; n++) lines.append("pgjdbc,").append(n).append(",,\"a, \"\"b\"\"\"\n");
            long rows = c.unwrap(PGConnection.class).getCopyAPI().copyIn("copy shop.inbox from stdin (format csv)", new StringReader(lines.toString()));
            return List.of(rows, query(c, "select count(*), sum(number), min(note) from shop.inbox where batch = 'pgjdbc'"));
        }
    }

    /** Waits until the server says that SLOW runs, or that it has ended; the step's own deadline ends it. */
    static void untilRunning(CountDownLatch ended) throws Exception {
        String asked = System.getenv("STEP_RUNNING").replace("{mark}", MARK);
        try (Connection c = connect(); Statement s = c.createStatement()) {
            do {
                try (ResultSet r = s.executeQuery(asked)) {
                    r.next();
                    if (r.getBoolean(1)) return;
                }
            } while (!ended.await(20, TimeUnit.MILLISECONDS));
        }
    }

    static Object cancel() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            CountDownLatch ended = new CountDownLatch(1);
            Thread canceller = new Thread(() -> {
                try {
                    untilRunning(ended);
                    s.cancel();
                    // PostgreSQL forgets a request that comes before the last message of the statement, which it shows as running then,
                    // and a statement's second cancel() sends none.
                    while (!ended.await(200, TimeUnit.MILLISECONDS)) c.unwrap(PGConnection.class).cancelQuery();
                } catch (Exception error) {
                    OUT.println(error);
                }
            });
            canceller.setDaemon(true);
            canceller.start();
            Object refused;
            try {
                refused = refused(() -> s.executeQuery(SLOW));
            } finally {
                ended.countDown();
            }
            // What it has sent has arrived then, and ends nothing that comes after.
            canceller.join();
            return List.of(refused, query(c, "select 1"));
        }
    }

    static Object queryTimeout() throws Exception {
        try (Connection c = connect(); Statement s = c.createStatement()) {
            s.setQueryTimeout(1);
            return List.of(refused(() -> s.executeQuery(SLOW)), query(c, "select 1"));
        }
    }

    static Object errors(String... options) throws Exception {
        List<Object> out = new ArrayList<>();
        try (Connection c = connect(options)) {
            for (String sql : new String[] {"selekt 1", "select * from shop.nothing", "select nothing from shop.orders", "select nothing(1)", "select 1 / (o_orderkey - o_orderkey) from shop.orders", "select 'x'::int"})
                out.add(refused(() -> query(c, sql)));
            out.add(query(c, "select 2"));
        }
        return out;
    }

    static Object transaction() throws Exception {
        List<Object> out = new ArrayList<>();
        try (Connection c = connect()) {
            c.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            c.setReadOnly(true);
            c.setAutoCommit(false);
            out.add(query(c, "select current_setting('transaction_isolation'), current_setting('transaction_read_only')"));
            Savepoint before = c.setSavepoint("a b");
            out.add(refused(() -> query(c, "select 1/0")));
            out.add(refused(() -> query(c, "select 1")));
            c.rollback(before);
            out.add(query(c, "select 3"));
            c.rollback();
        }
        return out;
    }

    static Object settings() throws SQLException {
        try (Connection c = connect("ApplicationName", "mine", "currentSchema", "lake", "options", "-c statement_timeout=90000")) {
            return List.of(query(c, "select current_setting('application_name'), current_setting('search_path'), current_setting('statement_timeout')"), c.getSchema(), c.getCatalog(), query(c, "select count(*) from rates"));
        }
    }

    public static void main(String[] arguments) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        version = new org.postgresql.Driver().getClass().getPackage().getImplementationVersion();
        if (version == null) version = org.postgresql.util.DriverInfo.DRIVER_VERSION;
        step("connect", () -> {
            try (Connection c = connect()) {
                return List.of(c.getMetaData().getUserName(), c.getMetaData().getDatabaseMajorVersion(), c.getCatalog(), c.isValid(5));
            }
        });
        step("connect/wrong password", () -> refused(() -> connect("password", "wrong")));
        step("connect/settings", ClientJdbc::settings);
        step("introspect/tables and columns", ClientJdbc::metadata);
        step("introspect/keys", ClientJdbc::keys);
        step("introspect/types", ClientJdbc::kindsOfTypes);
        step("introspect/statement", ClientJdbc::resultMetadata);
        step("query/text", () -> kinds("prepareThreshold", "0"));
        step("query/binary", () -> kinds("prepareThreshold", "-1"));
        step("query/simple mode", () -> kinds("preferQueryMode", "simple"));
        step("query/federated", ClientJdbc::federated);
        step("parameters/text", () -> parameters("binaryTransfer", "false"));
        step("parameters/binary", () -> parameters("prepareThreshold", "-1"));
        step("parameters/simple mode", () -> parameters("preferQueryMode", "simple"));
        step("cursor/without fetch size", () -> fetchSize(0, "select o_orderkey, o_totalprice from shop.orders order by 1"));
        step("cursor/fetch size", () -> fetchSize(100, "select o_orderkey, o_totalprice from shop.orders order by 1"));
        step("cursor/fetch size, named, binary", () -> fetchSize(100, "select o_orderkey, o_totalprice from shop.orders order by 1", "prepareThreshold", "-1"));
        step("cursor/fetch size, federated", () -> fetchSize(4, "select year, currency, rate, c_name from lake.rates join shop.customer on c_custkey = year - 1990 order by 1, 2"));
        step("cursor/two portals", ClientJdbc::twoPortals);
        step("copy/text", () -> copyOut("copy shop.customer to stdout"));
        step("copy/csv", () -> copyOut("copy (select * from shop.kinds order by id) to stdout with csv header"));
        step("copy/binary", () -> copyOut("copy (select year, currency, rate from lake.rates order by 1, 2) to stdout (format binary)"));
        step("copy/in", ClientJdbc::copyIn);
        step("cancel", ClientJdbc::cancel);
        step("cancel/query timeout", ClientJdbc::queryTimeout);
        step("error", ClientJdbc::errors);
        step("error/simple mode", () -> errors("preferQueryMode", "simple"));
        step("error/transaction", ClientJdbc::transaction);
        System.exit(0);
    }
}
