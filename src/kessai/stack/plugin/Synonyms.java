package kessai.analysis;

import java.io.IOException;
import java.io.StringReader;
import java.text.ParseException;
import java.util.List;
import java.util.function.Function;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.synonym.SolrSynonymParser;
import org.apache.lucene.analysis.synonym.SynonymFilter;
import org.apache.lucene.analysis.synonym.SynonymGraphFilter;
import org.apache.lucene.analysis.synonym.SynonymMap;
import org.elasticsearch.index.IndexService.IndexCreationContext;
import org.elasticsearch.index.analysis.CharFilterFactory;
import org.elasticsearch.index.analysis.CustomAnalyzer;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;

/** Inline rules, read through the chain before them, so that they meet what the index holds. */
record Synonyms(String name, boolean graph, List<String> rules, boolean expand) implements TokenFilterFactory {
    static Synonyms of(String name, boolean graph, Options options) {
        String format = options.text("format", "solr");
        if (!format.equals("solr")) {
            throw new IllegalArgumentException(name + " knows no format [" + format + "] here");
        }
        return new Synonyms(name, graph, options.list("synonyms"), options.flag("expand", true));
    }

    @Override
    public TokenStream create(TokenStream in) {
        throw new IllegalStateException("synonyms are made for a chain");
    }

    @Override
    public TokenFilterFactory getChainAwareTokenFilterFactory(
        IndexCreationContext context,
        TokenizerFactory tokenizer,
        List<CharFilterFactory> charFilters,
        List<TokenFilterFactory> before,
        Function<String, TokenFilterFactory> all
    ) {
        CustomAnalyzer chain = new CustomAnalyzer(
            tokenizer,
            charFilters.toArray(CharFilterFactory[]::new),
            before.stream().map(TokenFilterFactory::getSynonymFilter).toArray(TokenFilterFactory[]::new)
        );
        return new Made(name, graph, parse(chain));
    }

    private SynonymMap parse(CustomAnalyzer chain) {
        SolrSynonymParser parser = new SolrSynonymParser(true, expand, chain);
        try {
            parser.parse(new StringReader(String.join("\n", rules)));
            return parser.build();
        } catch (IOException | ParseException error) {
            throw new IllegalArgumentException("synonyms of [" + name + "]: " + error.getMessage(), error);
        }
    }

    private record Made(String name, boolean graph, SynonymMap map) implements TokenFilterFactory {
        @Override
        public TokenStream create(TokenStream in) {
            if (map.fst == null) {
                return in;
            }
            return graph ? new SynonymGraphFilter(in, map, false) : new SynonymFilter(in, map, false);
        }

        @Override
        public TokenFilterFactory getSynonymFilter() {
            return IDENTITY_FILTER;
        }
    }
}
