// Written by `npm run api` from openapi.json; do not edit.
export interface paths {
    "/api/auth/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sign In */
        post: operations["sign_in_api_auth_session_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Status */
        get: operations["status_api_auth_status_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sign Out */
        post: operations["sign_out_api_auth_logout_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/personal-information": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Personal Information */
        post: operations["personal_information_api_auth_personal_information_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/account": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Account */
        get: operations["account_api_account_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Config */
        get: operations["config_api_config_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/products/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Search */
        get: operations["search_api_products_search_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/products/suggest": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Suggest */
        get: operations["suggest_api_products_suggest_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/categories": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Categories */
        get: operations["categories_api_categories_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/products": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Products */
        get: operations["products_api_products_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/products/{product_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Product
         * @description What is no product id cannot be any product.
         */
        get: operations["product_api_products__product_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/orders/purchase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Purchase */
        post: operations["purchase_api_orders_purchase_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/orders": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Orders */
        get: operations["orders_api_orders_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/payments/{order_id}/details": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Order */
        get: operations["order_api_payments__order_id__details_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/orders/{order_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Order */
        get: operations["order_api_orders__order_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/orders/{order_id}/payment": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** New Payment */
        post: operations["new_payment_api_orders__order_id__payment_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/orders/{order_id}/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Check */
        post: operations["check_api_orders__order_id__check_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/orders/{order_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancel */
        post: operations["cancel_api_orders__order_id__cancel_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/orders/{order_id}/refund": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Refund */
        post: operations["refund_api_orders__order_id__refund_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/payments/{order_id}/qrcode": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Qrcode
         * @description The code as PNG. The amount is the order's; a query that names one is not looked at.
         */
        get: operations["qrcode_api_payments__order_id__qrcode_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** AccountAnswer */
        AccountAnswer: {
            /** Userid */
            userId: string;
            /** Email */
            email: string | null;
            /** Name */
            name: string | null;
            role: components["schemas"]["Role"];
            profile: components["schemas"]["Profile"];
            /** Balance */
            balance: number;
        };
        /** Address */
        Address: {
            /** Postalcode */
            postalCode: string;
            /** Address */
            address: string;
            /** Phone */
            phone: string;
        };
        /** CartLine */
        CartLine: {
            /** Productid */
            productId: number;
            /** Quantity */
            quantity: number;
        };
        /** CategoryAnswer */
        CategoryAnswer: {
            /** Id */
            id: number;
            /** Name */
            name: string;
            names: components["schemas"]["Names"];
            /** Imageurl */
            imageUrl: string | null;
        };
        /** CategoryCount */
        CategoryCount: {
            /** Id */
            id: number;
            /** Name */
            name: string;
            /** Count */
            count: number;
        };
        /** ConfigAnswer */
        ConfigAnswer: {
            /** Shopname */
            shopName: string;
            /** Languages */
            languages: string[];
            firebase: components["schemas"]["FirebaseConfig"];
            /** Pollintervalms */
            pollIntervalMs: number;
            /** Env */
            env: string;
            /** Version */
            version: string;
            simulators?: components["schemas"]["SimulatorLinks"] | null;
        };
        /** Done */
        Done: {
            /** Success */
            success: boolean;
            /** Message */
            message: string;
        };
        /** Facets */
        Facets: {
            /** Categories */
            categories: components["schemas"]["CategoryCount"][];
            price: components["schemas"]["PriceRange"];
            inStock: components["schemas"]["StockCount"];
        };
        /** FirebaseConfig */
        FirebaseConfig: {
            /** Apikey */
            apiKey: string;
            /** Authdomain */
            authDomain: string;
            /** Projectid */
            projectId: string;
            /** Appid */
            appId: string;
            /** Apibaseurl */
            apiBaseUrl: string;
        };
        /** FoundProduct */
        FoundProduct: {
            /** Productid */
            productId: number;
            /** Title */
            title: string;
            titles: components["schemas"]["Names"];
            /** Price */
            price: number;
            /** Thumbnailurl */
            thumbnailUrl: string | null;
            /** Createdat */
            createdAt: string;
            /** Stock */
            stock: number;
            /** Categoryid */
            categoryId: number;
            /** Highlight */
            highlight?: string | null;
        };
        /** HTTPValidationError */
        HTTPValidationError: {
            /** Detail */
            detail?: components["schemas"]["ValidationError"][];
        };
        /** ItemAnswer */
        ItemAnswer: {
            /** Productid */
            productId: number;
            /** Title */
            title: string;
            /** Imageurl */
            imageUrl: string | null;
            /** Unitprice */
            unitPrice: number;
            /** Quantity */
            quantity: number;
        };
        JsonValue: unknown;
        /**
         * Method
         * @enum {string}
         */
        Method: "PAYPAY" | "BALANCE";
        /** Names */
        Names: {
            /** En */
            en?: string | null;
            /** Zh */
            zh?: string | null;
        };
        /** NewPaymentBody */
        NewPaymentBody: {
            method?: components["schemas"]["Method"] | null;
        };
        /** OrderAnswer */
        OrderAnswer: {
            /** Orderid */
            orderId: string;
            /** Ordernumber */
            orderNumber: string;
            /** Createdat */
            createdAt: string;
            /** Method */
            method: string;
            /** Amount */
            amount: number;
            /** Taxyen */
            taxYen: number;
            /** Status */
            status: string;
            /** Reason */
            reason: string | null;
            /** Paymentstatus */
            paymentStatus: string | null;
            /** Paypaystatus */
            paypayStatus: string | null;
            /** Paymentid */
            paymentId: string | null;
            /** Payment Last Event Id */
            payment_last_event_id: string | null;
            /** Paymenturl */
            paymentUrl: string | null;
            /** Deeplink */
            deeplink: string | null;
            /** Paymentexpiresat */
            paymentExpiresAt: string | null;
            /** Paymentrequestedat */
            paymentRequestedAt: string | null;
            /** Paymentcompletedat */
            paymentCompletedAt: string | null;
            /** Holduntil */
            holdUntil: string;
            /** Channeltoken */
            channelToken: string;
            /** Channeltokenexpiresat */
            channelTokenExpiresAt: string;
            paypayError: components["schemas"]["ProviderError"] | null;
            /** Items */
            items: components["schemas"]["ItemAnswer"][];
            shippingAddress: components["schemas"]["ShippingAddress"] | null;
            /** Timeline */
            timeline: components["schemas"]["TimelineAnswer"][];
            refund: components["schemas"]["RefundAnswer"] | null;
            /** Actions */
            actions: string[];
            /** Viewversion */
            viewVersion: number;
            /** Servertime */
            serverTime: string;
            /** Correlationid */
            correlationId: string;
        };
        /**
         * OrderStatus
         * @enum {string}
         */
        OrderStatus: "PENDING" | "WAITING_PAYMENT" | "PAID" | "FAILED" | "REFUNDING" | "REFUNDED";
        /** OrdersAnswer */
        OrdersAnswer: {
            /** Items */
            items: components["schemas"]["SummaryAnswer"][];
            /** Nextcursor */
            nextCursor: string | null;
        };
        /** PriceRange */
        PriceRange: {
            /** Min */
            min: number | null;
            /** Max */
            max: number | null;
        };
        /** ProductAnswer */
        ProductAnswer: {
            /** Id */
            id: number;
            /** Categoryid */
            categoryId: number;
            /** Name */
            name: string;
            names: components["schemas"]["Names"];
            /** Description */
            description: string;
            /** Imageurl */
            imageUrl: string | null;
            /** Price */
            price: number;
            /** Stock */
            stock: number;
        };
        /** Profile */
        Profile: {
            /** Lastname */
            lastName?: string | null;
            /** Firstname */
            firstName?: string | null;
            /** Lastnamekana */
            lastNameKana?: string | null;
            /** Firstnamekana */
            firstNameKana?: string | null;
            /** Birthdate */
            birthDate?: string | null;
            /** Gender */
            gender?: string | null;
        };
        /** ProfileBody */
        ProfileBody: {
            /** Lastname */
            lastName?: string | null;
            /** Firstname */
            firstName?: string | null;
            /** Lastnamekana */
            lastNameKana?: string | null;
            /** Firstnamekana */
            firstNameKana?: string | null;
            /** Birthdate */
            birthDate?: string | null;
            /** Gender */
            gender?: string | null;
        };
        /** ProviderError */
        ProviderError: {
            /** Code */
            code: string;
            /** Message */
            message: string;
        };
        /** PurchaseAnswer */
        PurchaseAnswer: {
            /** Orderid */
            orderId: string;
            /** Ordernumber */
            orderNumber: string;
            /** Amount */
            amount: number;
            /** Status */
            status: string;
            /** Paymenturl */
            paymentUrl: string | null;
            /** Deeplink */
            deeplink: string | null;
            /** Paymentexpiresat */
            paymentExpiresAt: string | null;
            /** Holduntil */
            holdUntil: string;
            /** Channeltoken */
            channelToken: string;
            /** Channeltokenexpiresat */
            channelTokenExpiresAt: string;
        };
        /** PurchaseBody */
        PurchaseBody: {
            /** Customername */
            customerName: string;
            /** Customeremail */
            customerEmail: string;
            /** Items */
            items: components["schemas"]["CartLine"][];
            /** Expectedamount */
            expectedAmount?: number | null;
            /** @default PAYPAY */
            method: components["schemas"]["Method"];
            shippingAddress?: components["schemas"]["Address"] | null;
        };
        /** QrAnswer */
        QrAnswer: {
            /** Base64Image */
            base64Image: string;
            /** Paymenturl */
            paymentUrl: string;
            /** Amount */
            amount: number;
        };
        /** QrPending */
        QrPending: {
            /** Status */
            status: string;
        };
        /** RefundAnswer */
        RefundAnswer: {
            /** Amount */
            amount: number;
            /** Status */
            status: string;
            /** Reason */
            reason: string;
            /** At */
            at: string;
        };
        /** RefundBody */
        RefundBody: {
            /** Reason */
            reason: string;
        };
        /**
         * Role
         * @enum {string}
         */
        Role: "customer" | "viewer" | "operator";
        /** SearchAnswer */
        SearchAnswer: {
            /** Items */
            items: components["schemas"]["FoundProduct"][];
            /** Total */
            total: number;
            /** Page */
            page: number;
            /** Size */
            size: number;
            /** Didyoumean */
            didYouMean?: string | null;
            facets: components["schemas"]["Facets"];
        };
        /** SessionAnswer */
        SessionAnswer: {
            /** Success */
            success: boolean;
            /** Userid */
            userId: string;
            /** Email */
            email: string | null;
            /** Name */
            name: string | null;
            /** Message */
            message: string;
        };
        /** ShippingAddress */
        ShippingAddress: {
            /** Postalcode */
            postalCode: string;
            /** Address */
            address: string;
            /** Phone */
            phone: string;
        };
        /** SimulatorLinks */
        SimulatorLinks: {
            /** Paypay */
            paypay: string;
            /** Firebase */
            firebase: string;
        };
        /** StatusAnswer */
        StatusAnswer: {
            /** Success */
            success: boolean;
            /** Userid */
            userId?: string | null;
            /** Email */
            email?: string | null;
            /** Name */
            name?: string | null;
            role?: components["schemas"]["Role"] | null;
        };
        /** StockCount */
        StockCount: {
            /** True */
            true: number;
            /** False */
            false: number;
        };
        /** SuggestAnswer */
        SuggestAnswer: {
            /** Suggestions */
            suggestions: string[];
            /** Products */
            products: components["schemas"]["SuggestedProduct"][];
        };
        /** SuggestedProduct */
        SuggestedProduct: {
            /** Productid */
            productId: number;
            /** Title */
            title: string;
            /** Thumbnailurl */
            thumbnailUrl: string | null;
            /** Price */
            price: number;
        };
        /** SummaryAnswer */
        SummaryAnswer: {
            /** Orderid */
            orderId: string;
            /** Ordernumber */
            orderNumber: string;
            /** Createdat */
            createdAt: string;
            /** Amount */
            amount: number;
            /** Status */
            status: string;
            /** Reason */
            reason: string | null;
            /** Paymentstatus */
            paymentStatus: string | null;
            /** Items */
            items: components["schemas"]["ItemAnswer"][];
            /** Itemcount */
            itemCount: number;
        };
        /** TimelineAnswer */
        TimelineAnswer: {
            /** At */
            at: string;
            /** Kind */
            kind: string;
            /** Code */
            code: string;
            /** Data */
            data: {
                [key: string]: components["schemas"]["JsonValue"];
            };
        };
        /** TokenBody */
        TokenBody: {
            /** Idtoken */
            idToken?: string | null;
        };
        /** ValidationError */
        ValidationError: {
            /** Location */
            loc: (string | number)[];
            /** Message */
            msg: string;
            /** Error Type */
            type: string;
            /** Input */
            input?: unknown;
            /** Context */
            ctx?: Record<string, never>;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    sign_in_api_auth_session_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["TokenBody"] | null;
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    status_api_auth_status_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatusAnswer"];
                };
            };
        };
    };
    sign_out_api_auth_logout_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
        };
    };
    personal_information_api_auth_personal_information_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ProfileBody"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    account_api_account_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccountAnswer"];
                };
            };
        };
    };
    config_api_config_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigAnswer"];
                };
            };
        };
    };
    search_api_products_search_get: {
        parameters: {
            query?: {
                q?: string;
                minPrice?: number | null;
                maxPrice?: number | null;
                categoryId?: number[] | null;
                inStock?: boolean | null;
                sort?: "relevance" | "newest" | "price_asc" | "price_desc";
                page?: number;
                size?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SearchAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    suggest_api_products_suggest_get: {
        parameters: {
            query?: {
                q?: string;
                size?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SuggestAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    categories_api_categories_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CategoryAnswer"][];
                };
            };
        };
    };
    products_api_products_get: {
        parameters: {
            query?: {
                categoryId?: number | null;
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProductAnswer"][];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    product_api_products__product_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                product_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProductAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    purchase_api_orders_purchase_post: {
        parameters: {
            query?: never;
            header?: {
                "idempotency-key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PurchaseBody"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PurchaseAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    orders_api_orders_get: {
        parameters: {
            query?: {
                status?: components["schemas"]["OrderStatus"] | null;
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrdersAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    order_api_payments__order_id__details_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                order_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrderAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    order_api_orders__order_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                order_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrderAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    new_payment_api_orders__order_id__payment_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                order_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["NewPaymentBody"] | null;
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrderAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    check_api_orders__order_id__check_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                order_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrderAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    cancel_api_orders__order_id__cancel_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                order_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrderAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    refund_api_orders__order_id__refund_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                order_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RefundBody"];
            };
        };
        responses: {
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrderAnswer"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    qrcode_api_payments__order_id__qrcode_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                order_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QrAnswer"];
                };
            };
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QrPending"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
}
