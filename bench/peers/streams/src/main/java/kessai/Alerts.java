package kessai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Rules A to D on Kafka Streams, exactly once: the peer of bench/alerts.py.
 *
 * <p>java -cp ... kessai.Alerts HOSTS APPLICATION ORDERS PAYMENTS ALERTS FOLDER WINDOW_MS REFUND_MS
 */
public final class Alerts {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] given) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, given[1]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, given[5]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put("producer.compression.type", "lz4");
        settings.put("consumer.auto.offset.reset", "earliest");
        long windowMs = Long.parseLong(given[6]);
        long refundMs = Long.parseLong(given[7]);
        Topology topology = new Topology();
        var text = Serdes.String();
        var bytes = Serdes.ByteArray();
        topology.addSource("in", text.deserializer(), bytes.deserializer(), given[2], given[3]);
        topology.addProcessor("rules", () -> new Rules(windowMs, refundMs), "in");
        topology.addStateStore(
            Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("orders"), text, bytes)
                .withCachingEnabled(), "rules");
        topology.addStateStore(
            Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("due"), text, bytes)
                .withCachingEnabled(), "rules");
        topology.addSink("out", given[4], text.serializer(), bytes.serializer(), "rules");
        KafkaStreams streams = new KafkaStreams(topology, settings);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(5))));
        streams.start();
    }

    /** State of an order: paidAt, failedAt, successes by event id with their times, what was told. */
    private static final class Rules implements Processor<String, byte[], String, byte[]> {
        private final long windowMs;
        private final long refundMs;
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> orders;
        private KeyValueStore<String, byte[]> due;
        private long streamMs;
        private long heardMs;

        Rules(long windowMs, long refundMs) {
            this.windowMs = windowMs;
            this.refundMs = refundMs;
        }

        @Override
        public void init(ProcessorContext<String, byte[]> given) {
            context = given;
            orders = given.getStateStore("orders");
            due = given.getStateStore("due");
            given.schedule(Duration.ofSeconds(10), PunctuationType.WALL_CLOCK_TIME, this::punctuate);
        }

        @Override
        public void process(Record<String, byte[]> record) {
            streamMs = Math.max(streamMs, record.timestamp());
            heardMs = System.currentTimeMillis();
            try {
                JsonNode event = JSON.readTree(record.value());
                byte[] known = orders.get(record.key());
                ObjectNode state = known == null ? JSON.createObjectNode() : (ObjectNode) JSON.readTree(known);
                if (add(state, event, record.timestamp())) {
                    decide(record.key(), state, record.timestamp());
                }
            } catch (IOException unreadable) {
                // Nothing of the kind is published in this comparison.
                throw new IllegalStateException(unreadable);
            }
        }

        private boolean add(ObjectNode state, JsonNode event, long atMs) {
            String type = event.path("eventType").asText();
            if (type.equals("OrderStatusChanged")) {
                String status = event.path("payload").path("newStatus").asText();
                String name = status.equals("PAID") ? "paidAt" : "failedAt";
                if (!status.equals("PAID") && !status.equals("FAILED") || state.has(name)) {
                    return false;
                }
                state.put(name, atMs);
                return true;
            }
            String list = type.equals("PaymentSucceeded") ? "successes" : "backs";
            ArrayNode seen = state.withArray(list);
            String id = event.path("eventId").asText();
            for (JsonNode one : seen) {
                if (one.path("id").asText().equals(id)) {
                    return false;
                }
            }
            seen.addObject().put("id", id).put("at", atMs);
            return true;
        }

        private void decide(String order, ObjectNode state, long nowMs) throws IOException {
            long paid = state.path("paidAt").asLong();
            long failed = state.path("failedAt").asLong();
            int backs = state.path("backs").size();
            int kept = state.path("successes").size() - backs;
            long first = kept > 0 ? state.path("successes").get(0).path("at").asLong() : 0;
            long next = Long.MAX_VALUE;
            next = Math.min(next, check(order, state, "A", kept > 0 && paid == 0, first + windowMs, nowMs));
            boolean unpaid = paid > 0 && state.path("successes").isEmpty();
            next = Math.min(next, check(order, state, "B", unpaid, paid + windowMs, nowMs));
            check(order, state, "C", kept > 1, 0, nowMs);
            boolean late = failed > 0 && paid == 0 && kept > 0;
            next = Math.min(next, check(order, state, "D", late, Math.max(failed, first) + refundMs, nowMs));
            long old = state.path("wake").asLong();
            long wake = next == Long.MAX_VALUE ? 0 : next;
            if (old != wake) {
                if (old > 0) {
                    due.delete(name(old, order));
                }
                if (wake > 0) {
                    due.put(name(wake, order), new byte[0]);
                }
                state.put("wake", wake);
            }
            orders.put(order, JSON.writeValueAsBytes(state));
        }

        private long check(String order, ObjectNode state, String rule, boolean holds, long dueMs, long nowMs)
            throws IOException {
            if (!holds || state.has(rule)) {
                return Long.MAX_VALUE;
            }
            if (dueMs > nowMs) {
                return dueMs;
            }
            state.put(rule, dueMs);
            ObjectNode alert = JSON.createObjectNode().put("eventType", "AlertRaised").put("rule", rule);
            alert.put("orderId", order).set("facts", state.deepCopy());
            context.forward(new Record<>(order, JSON.writeValueAsBytes(alert), nowMs));
            return Long.MAX_VALUE;
        }

        private void punctuate(long wallMs) {
            // While records flow, time is theirs.
            long nowMs = wallMs - heardMs < 2000 ? streamMs : wallMs;
            List<String> names = new ArrayList<>();
            try (var range = due.range("", name(nowMs + 1, ""))) {
                range.forEachRemaining((KeyValue<String, byte[]> one) -> names.add(one.key));
            }
            for (String one : names) {
                String order = one.substring(20);
                try {
                    decide(order, (ObjectNode) JSON.readTree(orders.get(order)), nowMs);
                } catch (IOException unreadable) {
                    throw new IllegalStateException(unreadable);
                }
            }
        }

        private static String name(long atMs, String order) {
            return String.format("%019d|%s", atMs, order);
        }
    }
}
