package kessai.analysis;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.elasticsearch.common.settings.Settings;

/** The options of one component: what nobody reads is refused, since it would be ignored here. */
final class Options {
    private final String kind;
    private final Settings given;
    private final Set<String> read = new HashSet<>(Set.of("type"));

    Options(String kind, Settings given) {
        this.kind = kind;
        this.given = given;
    }

    String text(String name, String otherwise) {
        read.add(name);
        return given.get(name, otherwise);
    }

    String text(String name) {
        String found = text(name, null);
        if (found == null) {
            throw new IllegalArgumentException(kind + " needs [" + name + "]");
        }
        return found;
    }

    int number(String name, int otherwise) {
        read.add(name);
        return given.getAsInt(name, otherwise);
    }

    boolean flag(String name, boolean otherwise) {
        read.add(name);
        return given.getAsBoolean(name, otherwise);
    }

    List<String> list(String name, List<String> otherwise) {
        read.add(name);
        return given.getAsList(name, otherwise);
    }

    List<String> list(String name) {
        List<String> found = list(name, List.of());
        if (found.isEmpty()) {
            throw new IllegalArgumentException(kind + " needs [" + name + "]");
        }
        return found;
    }

    /** After all were read. */
    void refuseTheRest() {
        List<String> unread = new ArrayList<>();
        for (String name : given.keySet()) {
            // The server's own settings come along.
            if (!name.startsWith("index.") && !read.contains(name)) {
                unread.add(name);
            }
        }
        if (!unread.isEmpty()) {
            throw new IllegalArgumentException(kind + " does not know " + unread + " here");
        }
    }
}
