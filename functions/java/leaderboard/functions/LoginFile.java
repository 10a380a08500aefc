package leaderboard.functions;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.security.basicauth.BasicAuthCredentialProvider;

/**
 * The login to a schema registry, name:password, from a file: an option's value may show up anywhere
 * in Flink.
 *
 * <pre>{@code
 * 'basic.auth.credentials.source' = 'FILE',
 * 'basic.auth.file' = '/run/secrets/registry'
 * }</pre>
 */
public final class LoginFile implements BasicAuthCredentialProvider {
    private Path file;

    @Override
    public String alias() {
        return "FILE";
    }

    @Override
    public void configure(Map<String, ?> options) {
        file = Path.of(String.valueOf(options.get("basic.auth.file")));
    }

    @Override
    public String getUserInfo(URL registry) {
        try {
            return Files.readString(file).strip();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
