package kessai.analysis;

import java.io.IOException;
import java.io.StringReader;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.core.KeywordTokenizer;
import org.apache.lucene.analysis.core.LetterTokenizer;
import org.apache.lucene.analysis.core.WhitespaceTokenizer;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.ja.JapaneseTokenizer;
import org.apache.lucene.analysis.ja.dict.UserDictionary;
import org.apache.lucene.analysis.ngram.EdgeNGramTokenizer;
import org.apache.lucene.analysis.ngram.NGramTokenizer;
import org.apache.lucene.analysis.pattern.PatternTokenizer;

final class Tokenizers {
    interface Maker {
        Supplier<Tokenizer> make(Options options) throws IOException;
    }

    private Tokenizers() {}

    static Map<String, Maker> all() {
        Map<String, Maker> all = new HashMap<>();
        all.put("keyword", options -> {
            int size = options.number("buffer_size", 256);
            return () -> new KeywordTokenizer(size);
        });
        all.put("whitespace", options -> {
            int most = options.number("max_token_length", 255);
            return () -> new WhitespaceTokenizer(most);
        });
        all.put("letter", options -> LetterTokenizer::new);
        all.put("pattern", options -> {
            Pattern pattern = Pattern.compile(options.text("pattern", "\\W+"));
            int group = options.number("group", -1);
            return () -> new PatternTokenizer(pattern, group);
        });
        all.put("uax_url_email", options -> {
            int most = options.number("max_token_length", 255);
            return () -> {
                UAX29URLEmailTokenizer made = new UAX29URLEmailTokenizer();
                made.setMaxTokenLength(most);
                return made;
            };
        });
        all.put("ngram", Tokenizers::ngram);
        all.put("edge_ngram", Tokenizers::edgeNgram);
        all.put("kuromoji_tokenizer", Tokenizers::kuromoji);
        return all;
    }

    private static Supplier<Tokenizer> ngram(Options options) {
        int min = options.number("min_gram", 1);
        int max = options.number("max_gram", 2);
        IntPredicate belongs = tokenChars(options);
        return () -> new NGramTokenizer(min, max) {
            @Override
            protected boolean isTokenChar(int point) {
                return belongs.test(point);
            }
        };
    }

    private static Supplier<Tokenizer> edgeNgram(Options options) {
        int min = options.number("min_gram", 1);
        int max = options.number("max_gram", 2);
        IntPredicate belongs = tokenChars(options);
        return () -> new EdgeNGramTokenizer(min, max) {
            @Override
            protected boolean isTokenChar(int point) {
                return belongs.test(point);
            }
        };
    }

    private static IntPredicate tokenChars(Options options) {
        IntPredicate belongs = null;
        for (String name : options.list("token_chars", List.of())) {
            IntPredicate more = switch (name.toLowerCase(Locale.ROOT)) {
                case "letter" -> Character::isLetter;
                case "digit" -> Character::isDigit;
                case "whitespace" -> Character::isWhitespace;
                case "punctuation" -> Tokenizers::isPunctuation;
                case "symbol" -> Tokenizers::isSymbol;
                default -> throw new IllegalArgumentException("no token_chars [" + name + "] here");
            };
            belongs = belongs == null ? more : belongs.or(more);
        }
        return belongs == null ? point -> true : belongs;
    }

    private static boolean isPunctuation(int point) {
        return switch (Character.getType(point)) {
            case Character.START_PUNCTUATION, Character.END_PUNCTUATION, Character.OTHER_PUNCTUATION,
                Character.CONNECTOR_PUNCTUATION, Character.DASH_PUNCTUATION,
                Character.INITIAL_QUOTE_PUNCTUATION, Character.FINAL_QUOTE_PUNCTUATION -> true;
            default -> false;
        };
    }

    private static boolean isSymbol(int point) {
        return switch (Character.getType(point)) {
            case Character.CURRENCY_SYMBOL, Character.MATH_SYMBOL, Character.OTHER_SYMBOL,
                Character.MODIFIER_SYMBOL -> true;
            default -> false;
        };
    }

    private static Supplier<Tokenizer> kuromoji(Options options) throws IOException {
        UserDictionary own = userDictionary(options);
        JapaneseTokenizer.Mode mode = mode(options);
        boolean punctuation = options.flag("discard_punctuation", true);
        boolean compound = options.flag("discard_compound_token", false);
        return () -> new JapaneseTokenizer(own, punctuation, compound, mode);
    }

    static JapaneseTokenizer.Mode mode(Options options) {
        String name = options.text("mode", "search").toUpperCase(Locale.ROOT);
        return JapaneseTokenizer.Mode.valueOf(name);
    }

    static UserDictionary userDictionary(Options options) throws IOException {
        List<String> rules = options.list("user_dictionary_rules", List.of());
        return rules.isEmpty() ? null : UserDictionary.open(new StringReader(String.join("\n", rules)));
    }
}
