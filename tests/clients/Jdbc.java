import java.sql.*;
import java.util.*;

/** JDBC for Postgres and SQLite. Usage: java Jdbc.java URL NAME EXTENSION TEXT_IDS INTEGER_IDS UUID_IDS VIEWS UNIQUE_USERS */
class Jdbc {
    static int checks = 0;
    static List<String> wrong = new ArrayList<>();
    static String client;

    static void check(String what, Object got, Object wanted) {
        checks++;
        if (!Objects.equals(got, wanted)) {
            wrong.add(what + ": " + got + " instead of " + wanted);
        }
    }

    static double pair(Connection connection, Object a, Object b, String cast) throws SQLException {
        String sql = "select user_similarity(" + cast + ", " + cast + ")";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setObject(1, a);
            statement.setObject(2, b);
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                return rows.getDouble(1);
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        client = arguments[1];
        boolean postgres = arguments[0].startsWith("jdbc:postgresql");
        Properties properties = new Properties();
        if (!postgres) {
            properties.setProperty("enable_load_extension", "true");
        }
        try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
            if (!postgres) {
                try (Statement statement = connection.createStatement()) {
                    statement.execute("select load_extension('" + arguments[2] + "')");
                }
            }
            // More often than the driver's threshold for a prepared statement on the server.
            for (int i = 0; i < 12; i++) {
                check("text ids", pair(connection, "ann", "bob", "?"), Double.valueOf(arguments[3]));
            }
            check("integer ids", pair(connection, 1L, 2L, "?"), Double.valueOf(arguments[4]));
            UUID a = UUID.fromString("6f1f4a44-3c61-4ee5-a5a4-2d4d13b2a6f1"), b = UUID.fromString("0b7a7e52-9f0f-4b6c-8d4e-5a4c3b2a1908");
            if (postgres) {
                check("uuid ids", pair(connection, a, b, "?"), Double.valueOf(arguments[5]));
            } else {
                check("uuid ids as text", pair(connection, a.toString(), b.toString(), "?"), Double.valueOf(arguments[5]));
            }
            try (PreparedStatement statement = connection.prepareStatement(
                    "select total_views, average_rating, unique_users from content_metrics where content_id = ?")) {
                statement.setLong(1, 550);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    check("a view by key", rows.getLong(1), Long.valueOf(arguments[6]));
                    check("a view by key, users", rows.getLong(3), Long.valueOf(arguments[7]));
                }
                statement.setLong(1, 13);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    rows.getDouble(2);
                    check("a NULL in a view", rows.wasNull(), true);
                }
            }
            Map<String, Integer> types = new HashMap<>();
            try (ResultSet columns = connection.getMetaData().getColumns(null, null, "content_metrics", null)) {
                while (columns.next()) {
                    types.put(columns.getString("COLUMN_NAME"), columns.getInt("DATA_TYPE"));
                }
            }
            List<Integer> doubles = List.of(Types.DOUBLE, Types.REAL, Types.FLOAT);
            check("type of a rate", doubles.contains(types.get("average_rating")), true);
            check("type of a time", types.get("first_activity"), postgres ? Types.TIMESTAMP : Types.VARCHAR);
        }
        System.out.println(wrong.isEmpty() ? "ok " + client + ": " + checks + " checks" : "FAILED " + client + ": " + String.join("; ", wrong));
        System.exit(wrong.isEmpty() ? 0 : 1);
    }
}
