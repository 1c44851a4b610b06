import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;

/**
 * A server for the tests that speaks MongoDB's wire protocol and keeps everything in memory. It has no main class of its own, and the newest
 * version that it announces is older than the driver takes.
 *
 * Arguments: the port on 127.0.0.1 (0: a free one), and a file that the address is written to once it can be reached.
 */
public class Server {
    public static void main(String[] args) throws Exception {
        MemoryBackend backend = new MemoryBackend();
        backend.version(new MongoVersion() {
            @Override
            public List<Integer> getVersionArray() {
                return List.of(4, 4, 0);
            }

            @Override
            public int getWireVersion() {
                return 9;
            }
        });
        MongoServer server = new MongoServer(backend);
        server.bind("127.0.0.1", Integer.parseInt(args[0]));
        Path address = Path.of(args[1] + ".new");
        Files.writeString(address, "mongodb://127.0.0.1:" + server.getLocalAddress().getPort());
        Files.move(address, Path.of(args[1]));
        Thread.currentThread().join();
    }
}
