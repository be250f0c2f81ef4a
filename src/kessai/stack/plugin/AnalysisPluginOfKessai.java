package kessai.analysis;

import java.io.IOException;
import java.io.Reader;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.ja.JapaneseAnalyzer;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.IndexScopedSettings;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter;
import org.elasticsearch.env.Environment;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.IndexSettings;
import org.elasticsearch.index.analysis.AnalyzerProvider;
import org.elasticsearch.index.analysis.AnalyzerScope;
import org.elasticsearch.index.analysis.CharFilterFactory;
import org.elasticsearch.index.analysis.NormalizingCharFilterFactory;
import org.elasticsearch.index.analysis.NormalizingTokenFilterFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;

/**
 * Puts back, under their own names, the analyzers that the server's small distribution leaves out.
 * Production has the official plugins; index settings that run here run there.
 */
public final class AnalysisPluginOfKessai extends Plugin implements AnalysisPlugin, ActionPlugin {
    private static final Set<String> NEED_OPTIONS = Set.of("mapping", "pattern_replace", "pattern_capture");

    private interface Made<T> {
        T make(String name, Options options) throws IOException;
    }

    /** Options are read and the rest refused when an index is made, not when it is first used. */
    private static <T> AnalysisProvider<T> provider(String kind, boolean needsOptions, Made<T> made) {
        return new AnalysisProvider<>() {
            @Override
            public T get(IndexSettings index, Environment environment, String name, Settings settings)
                throws IOException {
                Options options = new Options(kind, settings);
                T result = made.make(name, options);
                options.refuseTheRest();
                return result;
            }

            @Override
            public boolean requiresAnalysisSettings() {
                return needsOptions;
            }
        };
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        Map<String, AnalysisProvider<TokenizerFactory>> all = new HashMap<>();
        Tokenizers.all().forEach((kind, maker) -> all.put(kind, provider(kind, false, (name, options) -> {
            Supplier<Tokenizer> make = maker.make(options);
            return TokenizerFactory.newFactory(name, make);
        })));
        return all;
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        Map<String, AnalysisProvider<TokenFilterFactory>> all = new HashMap<>();
        TokenFilters.folding().forEach((kind, maker) -> all.put(kind,
            provider(kind, false, (name, options) -> new FoldingFilter(name, maker.make(options)))));
        TokenFilters.other().forEach((kind, maker) -> all.put(kind,
            provider(kind, NEED_OPTIONS.contains(kind), (name, options) -> new Filter(name, maker.make(options)))));
        all.put("synonym", provider("synonym", true, (name, options) -> Synonyms.of(name, false, options)));
        all.put("synonym_graph", provider("synonym_graph", true, (name, options) -> Synonyms.of(name, true, options)));
        return all;
    }

    @Override
    public Map<String, AnalysisProvider<CharFilterFactory>> getCharFilters() {
        Map<String, AnalysisProvider<CharFilterFactory>> all = new HashMap<>();
        CharFilters.folding().forEach((kind, maker) -> all.put(kind, provider(kind, NEED_OPTIONS.contains(kind),
            (name, options) -> new FoldingChars(name, maker.make(options)))));
        CharFilters.other().forEach((kind, maker) -> all.put(kind,
            provider(kind, false, (name, options) -> new Chars(name, maker.make(options)))));
        return all;
    }

    @Override
    public Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> getAnalyzers() {
        return Map.of("kuromoji", provider("kuromoji", false, (name, options) -> new Fixed(name,
            new JapaneseAnalyzer(Tokenizers.userDictionary(options), Tokenizers.mode(options),
                JapaneseAnalyzer.getDefaultStopSet(), JapaneseAnalyzer.getDefaultStopTags()))));
    }

    @Override
    public Collection<RestHandler> getRestHandlers(
        Settings settings,
        NamedWriteableRegistry writeables,
        RestController controller,
        ClusterSettings clusterSettings,
        IndexScopedSettings indexSettings,
        SettingsFilter filter,
        IndexNameExpressionResolver resolver,
        Supplier<DiscoveryNodes> nodes,
        Predicate<NodeFeature> features
    ) {
        return List.of(new Root(settings));
    }

    private record Filter(String name, UnaryOperator<TokenStream> make) implements TokenFilterFactory {
        @Override
        public TokenStream create(TokenStream in) {
            return make.apply(in);
        }
    }

    private record FoldingFilter(String name, UnaryOperator<TokenStream> make)
        implements NormalizingTokenFilterFactory {
        @Override
        public TokenStream create(TokenStream in) {
            return make.apply(in);
        }
    }

    private record Chars(String name, UnaryOperator<Reader> make) implements CharFilterFactory {
        @Override
        public Reader create(Reader in) {
            return make.apply(in);
        }
    }

    private record FoldingChars(String name, UnaryOperator<Reader> make) implements NormalizingCharFilterFactory {
        @Override
        public Reader create(Reader in) {
            return make.apply(in);
        }
    }

    private record Fixed(String name, Analyzer get) implements AnalyzerProvider<Analyzer> {
        @Override
        public AnalyzerScope scope() {
            return AnalyzerScope.INDEX;
        }
    }
}
