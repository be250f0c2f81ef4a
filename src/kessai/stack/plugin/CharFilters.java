package kessai.analysis;

import com.ibm.icu.text.Normalizer2;
import java.io.Reader;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.charfilter.HTMLStripCharFilter;
import org.apache.lucene.analysis.charfilter.MappingCharFilter;
import org.apache.lucene.analysis.charfilter.NormalizeCharMap;
import org.apache.lucene.analysis.icu.ICUNormalizer2CharFilter;
import org.apache.lucene.analysis.ja.JapaneseIterationMarkCharFilter;
import org.apache.lucene.analysis.pattern.PatternReplaceCharFilter;

final class CharFilters {
    interface Maker {
        UnaryOperator<Reader> make(Options options);
    }

    private CharFilters() {}

    /** Those that may stand in a normalizer too. */
    static Map<String, Maker> folding() {
        Map<String, Maker> all = new HashMap<>();
        all.put("mapping", options -> {
            NormalizeCharMap map = mapping(options.list("mappings"));
            return in -> new MappingCharFilter(map, in);
        });
        all.put("pattern_replace", options -> {
            Pattern pattern = Pattern.compile(options.text("pattern"));
            String replacement = options.text("replacement", "");
            return in -> new PatternReplaceCharFilter(pattern, replacement, in);
        });
        all.put("icu_normalizer", options -> {
            Normalizer2 form = TokenFilters.normalizer(options);
            return in -> new ICUNormalizer2CharFilter(in, form);
        });
        all.put("kuromoji_iteration_mark", options -> {
            boolean kanji = options.flag("normalize_kanji", true);
            boolean kana = options.flag("normalize_kana", true);
            return in -> new JapaneseIterationMarkCharFilter(in, kanji, kana);
        });
        return all;
    }

    static Map<String, Maker> other() {
        return Map.of("html_strip", options -> HTMLStripCharFilter::new);
    }

    private static NormalizeCharMap mapping(List<String> rules) {
        NormalizeCharMap.Builder builder = new NormalizeCharMap.Builder();
        for (String rule : rules) {
            String[] sides = rule.split("=>", -1);
            if (sides.length != 2 || sides[0].isBlank()) {
                throw new IllegalArgumentException("mapping: [" + rule + "] is not `from => to`");
            }
            builder.add(plain(sides[0].trim()), plain(sides[1].trim()));
        }
        return builder.build();
    }

    private static String plain(String text) {
        if (text.contains("\\")) {
            throw new IllegalArgumentException("mapping: no escapes here: [" + text + "]");
        }
        return text;
    }
}
