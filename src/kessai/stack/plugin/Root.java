package kessai.analysis;

import java.util.List;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.xcontent.XContentBuilder;

/** `GET /`, by which clients greet a server. */
final class Root extends BaseRestHandler {
    private final Settings settings;

    Root(Settings settings) {
        this.settings = settings;
    }

    @Override
    public String getName() {
        return "kessai_root";
    }

    @Override
    public List<Route> routes() {
        return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
    }

    @Override
    protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
        return channel -> {
            XContentBuilder body = channel.newBuilder();
            body.startObject();
            body.field("name", settings.get("node.name", "kessai"));
            body.field("cluster_name", settings.get("cluster.name", "elasticsearch"));
            body.startObject("version");
            body.field("number", Build.current().version());
            body.field("build_flavor", "default");
            body.field("lucene_version", org.apache.lucene.util.Version.LATEST.toString());
            body.endObject();
            body.field("tagline", "You Know, for Search");
            body.endObject();
            channel.sendResponse(new RestResponse(RestStatus.OK, body));
        };
    }
}
