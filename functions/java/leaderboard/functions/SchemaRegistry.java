package leaderboard.functions;

import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.RestService;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.security.SslFactory;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;
import org.apache.flink.shaded.guava33.com.google.common.cache.Cache;
import org.apache.flink.shaded.guava33.com.google.common.cache.CacheBuilder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The schemas of a registry by their ids. What an id means never changes, so each is asked for once.
 *
 * <p>While the registry is away, whoever needs a new one waits: nobody can say whether the message
 * is good. An id that it does not know is not asked for again for a minute.
 */
final class SchemaRegistry {
    private static final Logger LOG = LoggerFactory.getLogger(SchemaRegistry.class);
    private static final int NO_SUCH_SCHEMA = 40403; // a proxy's 404 has another code
    private static final int MOST_UNKNOWN = 10_000; // that are remembered
    private static final long PAUSE_MILLIS = 1_000;
    private static final int ATTEMPTS_PER_WARNING = 30;

    private final String url;
    private final RestService rest;
    private final Map<Integer, Optional<Schema>> known = new HashMap<>();
    private final Cache<Integer, Boolean> unknown =
            CacheBuilder.newBuilder()
                    .maximumSize(MOST_UNKNOWN)
                    .expireAfterWrite(Duration.ofMinutes(1))
                    .build();

    /** The options are those of Confluent's client: url, basic.auth.…, ssl.…, http.… */
    SchemaRegistry(Map<String, String> options) {
        url = options.get("url");
        rest = new RestService(url);
        rest.configure(options);
        SSLContext tls = new SslFactory(options).sslContext();
        if (tls != null) {
            rest.setSslSocketFactory(tls.getSocketFactory());
        }
    }

    /**
     * The schema of a record; null when the registry knows no such id, and empty when it is another
     * kind of schema.
     */
    Optional<Schema> record(int id) throws IOException {
        Optional<Schema> schema = known.get(id);
        for (int attempt = 1; schema == null && unknown.getIfPresent(id) == null; attempt++) {
            try {
                schema = parsed(rest.getId(id).getSchemaString());
                known.put(id, schema);
            } catch (RestClientException error) {
                if (error.getErrorCode() == NO_SUCH_SCHEMA) {
                    unknown.put(id, true);
                } else {
                    pause(id, attempt, error);
                }
            } catch (IOException error) {
                pause(id, attempt, error);
            }
        }
        return schema;
    }

    private static Optional<Schema> parsed(String text) {
        try {
            Schema schema = new Schema.Parser().parse(text);
            return Optional.of(schema).filter(each -> each.getType() == Schema.Type.RECORD);
        } catch (RuntimeException error) {
            return Optional.empty();
        }
    }

    private void pause(int id, int attempt, Exception error) throws IOException {
        if (attempt % ATTEMPTS_PER_WARNING == 1) {
            LOG.warn("Waiting for the schema {} of the registry at {}: {}", id, url, "" + error);
        }
        try {
            Thread.sleep(PAUSE_MILLIS);
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
            throw new IOException("The job ended while it waited for a schema", ended);
        }
    }
}
