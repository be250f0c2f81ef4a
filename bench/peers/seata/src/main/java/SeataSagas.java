import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import javax.sql.DataSource;
import org.apache.seata.saga.engine.config.DbStateMachineConfig;
import org.apache.seata.saga.engine.impl.ProcessCtrlStateMachineEngine;
import org.apache.seata.saga.engine.tm.SagaTransactionalTemplate;
import org.apache.seata.saga.statelang.domain.ExecutionStatus;
import org.apache.seata.saga.statelang.domain.StateMachineInstance;
import org.apache.seata.tm.api.GlobalTransaction;
import org.springframework.context.support.GenericApplicationContext;

/**
 * Four no-op tasks with their undo, started by CONCURRENCY threads for SECONDS, every write in the log.
 *
 * <p>No coordinator takes part: transaction ids are made here and reports go nowhere, so what is
 * measured is the embedded engine and its database alone. Its tables are made anew.
 *
 * <p>{@code mvn -q compile exec:java -Dexec.args="jdbc:mariadb://127.0.0.1:3306/saga 4 20 user password"},
 * or {@code 'jdbc:h2:mem:saga;MODE=MySQL;DB_CLOSE_DELAY=-1' 4 20 sa}.
 */
public final class SeataSagas {
    private static final int TASKS = 4;
    private static final String TENANT = "000001";

    /** The service behind every task. */
    public static final class Steps {
        public Map<String, Object> run(Map<String, Object> input) {
            return input;
        }
    }

    public static void main(String[] args) throws Exception {
        if (args.length < 3) {
            System.err.println("usage: JDBC_URL CONCURRENCY SECONDS [USER [PASSWORD]]");
            System.exit(2);
        }
        int concurrency = Integer.parseInt(args[1]);
        double seconds = Double.parseDouble(args[2]);
        try (HikariDataSource pool = pool(args, concurrency)) {
            createTables(pool);
            ProcessCtrlStateMachineEngine engine = engine(pool);
            load(engine, concurrency, Math.max(2, seconds / 4)); // the compiler's warm-up is not measured
            long cpuBefore = cpuNanos();
            long began = System.nanoTime();
            long[] took = load(engine, concurrency, seconds);
            double elapsed = (System.nanoTime() - began) / 1e9;
            double cpuMs = (cpuNanos() - cpuBefore) / 1e6;
            System.out.printf(Locale.ROOT,
                    "{\"sagas_per_s\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"cpu_ms_per_saga\": %.4f}%n",
                    took.length / elapsed, quantile(took, 0.50), quantile(took, 0.99), cpuMs / took.length);
        }
        System.exit(0);
    }

    private static HikariDataSource pool(String[] args, int size) {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(args[0]);
        config.setUsername(args.length > 3 ? args[3] : null);
        config.setPassword(args.length > 4 ? args[4] : null);
        config.setMaximumPoolSize(size);
        return new HikariDataSource(config);
    }

    private static ProcessCtrlStateMachineEngine engine(DataSource source) throws Exception {
        GenericApplicationContext beans = new GenericApplicationContext();
        beans.getBeanFactory().registerSingleton("steps", new Steps());
        beans.refresh();
        DbStateMachineConfig config = new DbStateMachineConfig();
        config.setApplicationContext(beans);
        config.setDataSource(source);
        config.setSagaJsonParser("jackson");
        config.setSagaTransactionalTemplate(noCoordinator());
        config.setResources(new String[0]);
        config.afterPropertiesSet();
        InputStream definition = new ByteArrayInputStream(machine().getBytes(StandardCharsets.UTF_8));
        config.getStateMachineRepository().registryByResources(new InputStream[] {definition}, TENANT);
        ProcessCtrlStateMachineEngine engine = new ProcessCtrlStateMachineEngine();
        engine.setStateMachineConfig(config);
        return engine;
    }

    private static String machine() {
        StringBuilder states = new StringBuilder();
        for (int i = 1; i <= TASKS; i++) {
            String next = i < TASKS ? "Do" + (i + 1) : "Done";
            states.append(task("Do" + i, "\"CompensateState\": \"Undo" + i + "\", \"Next\": \"" + next + "\","));
            states.append(task("Undo" + i, ""));
        }
        return """
            {"Name": "four", "Version": "1", "StartState": "Do1", "States": {%s
              "Done": {"Type": "Succeed"}}}""".formatted(states);
    }

    private static String task(String name, String extra) {
        return """
              "%s": {"Type": "ServiceTask", "ServiceName": "steps", "ServiceMethod": "run", %s
                "Input": [{"order": "$.[order]"}]},
            """.formatted(name, extra);
    }

    /** Worker threads that start one saga after the other until the time is up; nanoseconds of each. */
    private static long[] load(ProcessCtrlStateMachineEngine engine, int concurrency, double seconds) throws Exception {
        long until = System.nanoTime() + (long) (seconds * 1e9);
        ExecutorService workers = Executors.newFixedThreadPool(concurrency);
        List<Future<long[]>> parts = new ArrayList<>();
        for (int i = 0; i < concurrency; i++) {
            parts.add(workers.submit(() -> sagasUntil(engine, until)));
        }
        LongStream all = LongStream.empty();
        for (Future<long[]> part : parts) {
            all = LongStream.concat(all, LongStream.of(part.get()));
        }
        workers.shutdown();
        return all.sorted().toArray();
    }

    private static long[] sagasUntil(ProcessCtrlStateMachineEngine engine, long until) {
        LongStream.Builder took = LongStream.builder();
        for (long now = System.nanoTime(); now < until; now = System.nanoTime()) {
            Map<String, Object> params = new HashMap<>();
            params.put("order", now);
            StateMachineInstance saga = engine.start("four", TENANT, params);
            if (saga.getStatus() != ExecutionStatus.SU) {
                throw new IllegalStateException("a saga ended " + saga.getStatus(), saga.getException());
            }
            took.add(System.nanoTime() - now);
        }
        return took.build().toArray();
    }

    private static SagaTransactionalTemplate noCoordinator() {
        AtomicLong last = new AtomicLong(System.currentTimeMillis() * 1_000_000);
        return answering(SagaTransactionalTemplate.class, (method, args) -> switch (method) {
            case "beginTransaction" -> transaction("127.0.0.1:8091:" + last.incrementAndGet());
            case "reloadTransaction" -> transaction((String) args[0]);
            case "branchRegister" -> last.incrementAndGet();
            default -> null;
        });
    }

    private static GlobalTransaction transaction(String xid) {
        return answering(GlobalTransaction.class, (method, args) -> method.equals("getXid") ? xid : null);
    }

    private interface Answer {
        Object to(String method, Object[] args);
    }

    private static <T> T answering(Class<T> type, Answer answer) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, args) ->
                method.getDeclaringClass() == Object.class ? method.invoke(answer, args) : answer.to(method.getName(), args)));
    }

    /** The columns, keys and sizes that Seata's own schema has. */
    private static void createTables(DataSource source) throws Exception {
        try (Connection connection = source.getConnection(); Statement statement = connection.createStatement()) {
            for (String table : List.of("seata_state_machine_def", "seata_state_machine_inst", "seata_state_inst")) {
                statement.execute("DROP TABLE IF EXISTS " + table);
            }
            statement.execute("""
                CREATE TABLE seata_state_machine_def (
                  id VARCHAR(32) NOT NULL PRIMARY KEY, name VARCHAR(128) NOT NULL, tenant_id VARCHAR(32) NOT NULL,
                  app_name VARCHAR(32) NOT NULL, type VARCHAR(20), comment_ VARCHAR(255), ver VARCHAR(16) NOT NULL,
                  gmt_create DATETIME(3) NOT NULL, status VARCHAR(2) NOT NULL, content TEXT, recover_strategy VARCHAR(16))""");
            statement.execute("""
                CREATE TABLE seata_state_machine_inst (
                  id VARCHAR(128) NOT NULL PRIMARY KEY, machine_id VARCHAR(32) NOT NULL, tenant_id VARCHAR(32) NOT NULL,
                  parent_id VARCHAR(128), gmt_started DATETIME(3) NOT NULL, business_key VARCHAR(48), start_params TEXT,
                  gmt_end DATETIME(3), excep BLOB, end_params TEXT, status VARCHAR(2), compensation_status VARCHAR(2),
                  is_running TINYINT, gmt_updated DATETIME(3) NOT NULL, UNIQUE (business_key, tenant_id))""");
            statement.execute("""
                CREATE TABLE seata_state_inst (
                  id VARCHAR(48) NOT NULL, machine_inst_id VARCHAR(128) NOT NULL, name VARCHAR(128) NOT NULL,
                  type VARCHAR(20), service_name VARCHAR(128), service_method VARCHAR(128), service_type VARCHAR(16),
                  business_key VARCHAR(48), state_id_compensated_for VARCHAR(50), state_id_retried_for VARCHAR(50),
                  gmt_started DATETIME(3) NOT NULL, is_for_update TINYINT, input_params TEXT, output_params TEXT,
                  status VARCHAR(2) NOT NULL, excep BLOB, gmt_updated DATETIME(3), gmt_end DATETIME(3),
                  PRIMARY KEY (id, machine_inst_id))""");
        }
    }

    private static double quantile(long[] sorted, double q) {
        return sorted[(int) Math.min(sorted.length - 1, Math.floor(q * sorted.length))] / 1e6;
    }

    private static long cpuNanos() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }
}
