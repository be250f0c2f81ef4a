package kessai.analysis;

import com.ibm.icu.text.Normalizer2;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.CharArraySet;
import org.apache.lucene.analysis.FilteringTokenFilter;
import org.apache.lucene.analysis.LowerCaseFilter;
import org.apache.lucene.analysis.StopFilter;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.cjk.CJKBigramFilter;
import org.apache.lucene.analysis.cjk.CJKWidthFilter;
import org.apache.lucene.analysis.core.UpperCaseFilter;
import org.apache.lucene.analysis.icu.ICUFoldingFilter;
import org.apache.lucene.analysis.icu.ICUNormalizer2Filter;
import org.apache.lucene.analysis.ja.JapaneseAnalyzer;
import org.apache.lucene.analysis.ja.JapaneseBaseFormFilter;
import org.apache.lucene.analysis.ja.JapaneseKatakanaStemFilter;
import org.apache.lucene.analysis.ja.JapaneseNumberFilter;
import org.apache.lucene.analysis.ja.JapanesePartOfSpeechStopFilter;
import org.apache.lucene.analysis.ja.JapaneseReadingFormFilter;
import org.apache.lucene.analysis.miscellaneous.ASCIIFoldingFilter;
import org.apache.lucene.analysis.miscellaneous.LengthFilter;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.miscellaneous.TrimFilter;
import org.apache.lucene.analysis.miscellaneous.TruncateTokenFilter;
import org.apache.lucene.analysis.ngram.EdgeNGramTokenFilter;
import org.apache.lucene.analysis.ngram.NGramTokenFilter;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.apache.lucene.analysis.reverse.ReverseStringFilter;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;

/** Filters that need nothing but their options; those of `folding` may stand in a normalizer. */
final class TokenFilters {
    interface Maker {
        UnaryOperator<TokenStream> make(Options options) throws IOException;
    }

    private TokenFilters() {}

    static Map<String, Maker> folding() {
        Map<String, Maker> all = new HashMap<>();
        all.put("lowercase", options -> LowerCaseFilter::new);
        all.put("uppercase", options -> UpperCaseFilter::new);
        all.put("trim", options -> TrimFilter::new);
        all.put("cjk_width", options -> CJKWidthFilter::new);
        all.put("icu_folding", options -> ICUFoldingFilter::new);
        all.put("icu_normalizer", options -> {
            Normalizer2 form = normalizer(options);
            return in -> new ICUNormalizer2Filter(in, form);
        });
        all.put("asciifolding", options -> {
            boolean both = options.flag("preserve_original", false);
            return in -> new ASCIIFoldingFilter(in, both);
        });
        return all;
    }

    static Map<String, Maker> other() {
        Map<String, Maker> all = new HashMap<>();
        all.put("reverse", options -> ReverseStringFilter::new);
        all.put("unique", options -> options.flag("only_on_same_position", false)
            ? RemoveDuplicatesTokenFilter::new : Unique::new);
        all.put("pattern_capture", TokenFilters::patternCapture);
        all.put("length", options -> {
            int min = options.number("min", 0);
            int max = options.number("max", Integer.MAX_VALUE);
            return in -> new LengthFilter(in, min, max);
        });
        all.put("truncate", options -> {
            int length = options.number("length", 10);
            return in -> new TruncateTokenFilter(in, length);
        });
        all.put("ngram", options -> {
            int min = options.number("min_gram", 1);
            int max = options.number("max_gram", 2);
            boolean both = options.flag("preserve_original", false);
            return in -> new NGramTokenFilter(in, min, max, both);
        });
        all.put("edge_ngram", options -> {
            int min = options.number("min_gram", 1);
            int max = options.number("max_gram", 2);
            boolean both = options.flag("preserve_original", false);
            return in -> new EdgeNGramTokenFilter(in, min, max, both);
        });
        all.put("cjk_bigram", TokenFilters::cjkBigram);
        all.put("kuromoji_baseform", options -> JapaneseBaseFormFilter::new);
        all.put("kuromoji_number", options -> JapaneseNumberFilter::new);
        all.put("kuromoji_part_of_speech", options -> {
            List<String> given = options.list("stoptags", List.of());
            Set<String> tags = given.isEmpty() ? JapaneseAnalyzer.getDefaultStopTags() : new HashSet<>(given);
            return in -> new JapanesePartOfSpeechStopFilter(in, tags);
        });
        all.put("kuromoji_readingform", options -> {
            boolean romaji = options.flag("use_romaji", false);
            return in -> new JapaneseReadingFormFilter(in, romaji);
        });
        all.put("kuromoji_stemmer", options -> {
            int length = options.number("minimum_length", JapaneseKatakanaStemFilter.DEFAULT_MINIMUM_LENGTH);
            return in -> new JapaneseKatakanaStemFilter(in, length);
        });
        all.put("ja_stop", TokenFilters::jaStop);
        return all;
    }

    static Normalizer2 normalizer(Options options) {
        String name = options.text("name", "nfkc_cf");
        String mode = options.text("mode", "compose");
        Normalizer2.Mode way = switch (mode) {
            case "compose" -> Normalizer2.Mode.COMPOSE;
            case "decompose" -> Normalizer2.Mode.DECOMPOSE;
            default -> throw new IllegalArgumentException("icu_normalizer knows no mode [" + mode + "]");
        };
        return Normalizer2.getInstance(null, name, way);
    }

    private static UnaryOperator<TokenStream> patternCapture(Options options) {
        Pattern[] patterns = options.list("patterns").stream().map(Pattern::compile).toArray(Pattern[]::new);
        boolean both = options.flag("preserve_original", true);
        return in -> new PatternCaptureGroupTokenFilter(in, both, patterns);
    }

    private static UnaryOperator<TokenStream> cjkBigram(Options options) {
        int scripts = CJKBigramFilter.HAN | CJKBigramFilter.HIRAGANA | CJKBigramFilter.KATAKANA
            | CJKBigramFilter.HANGUL;
        for (String name : options.list("ignored_scripts", List.of())) {
            scripts &= ~switch (name.toLowerCase(Locale.ROOT)) {
                case "han" -> CJKBigramFilter.HAN;
                case "hiragana" -> CJKBigramFilter.HIRAGANA;
                case "katakana" -> CJKBigramFilter.KATAKANA;
                case "hangul" -> CJKBigramFilter.HANGUL;
                default -> throw new IllegalArgumentException("cjk_bigram knows no script [" + name + "]");
            };
        }
        int kept = scripts;
        boolean unigrams = options.flag("output_unigrams", false);
        return in -> new CJKBigramFilter(in, kept, unigrams);
    }

    private static UnaryOperator<TokenStream> jaStop(Options options) {
        CharArraySet words = new CharArraySet(16, false);
        for (String word : options.list("stopwords", List.of("_japanese_"))) {
            if (word.equals("_japanese_")) {
                words.addAll(JapaneseAnalyzer.getDefaultStopSet());
            } else if (!word.equals("_none_")) {
                words.add(word);
            }
        }
        return in -> new StopFilter(in, words);
    }

    /** Each word once in a text, wherever it stands. */
    private static final class Unique extends FilteringTokenFilter {
        private final CharTermAttribute term = addAttribute(CharTermAttribute.class);
        private final CharArraySet seen = new CharArraySet(8, false);

        Unique(TokenStream in) {
            super(in);
        }

        @Override
        protected boolean accept() {
            return seen.add(term.toString());
        }

        @Override
        public void reset() throws IOException {
            super.reset();
            seen.clear();
        }
    }
}
