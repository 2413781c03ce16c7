BEGIN TRANSACTION;
CREATE TABLE api_keys (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            is_revoked INTEGER NOT NULL DEFAULT 0,
            record TEXT NOT NULL,  -- ApiKey as JSON
            last_used_at REAL
        );
CREATE TABLE asks (
            id INTEGER PRIMARY KEY,
            site TEXT NOT NULL,
            asked_at REAL NOT NULL,
            reason TEXT NOT NULL,
            count INTEGER NOT NULL
        );
INSERT INTO "asks" VALUES(1,'https://chat.example',2.0,'expired',1);
CREATE TABLE branches (
            number INTEGER PRIMARY KEY,
            history TEXT NOT NULL,  -- digest
            upstream TEXT NOT NULL,  -- Upstream as JSON
            kept_at REAL NOT NULL
        );
INSERT INTO "branches" VALUES(1,'digest','{"name":"copy-2","value":"{\"site\": \"https://chat.example\", \"bot_id\": 7, \"session_id\": \"guest\", \"conversation_uuid\": \"copy-2\", \"response_id\": \"\", \"interaction_id\": \"\"}","told":""}',5.0);
CREATE TABLE claims (site TEXT PRIMARY KEY, holder TEXT NOT NULL, until REAL NOT NULL);
CREATE TABLE conversations (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            metadata TEXT NOT NULL,
            upstream TEXT,  -- Upstream as JSON
            spoilt INTEGER NOT NULL DEFAULT 0,  -- a turn that was never committed may have touched `upstream`
            pending_turn TEXT,
            crossed INTEGER NOT NULL DEFAULT 0,  -- another turn was committed since `pending_turn` began
            bytes INTEGER NOT NULL  -- what it counts for towards the limit of what is kept
        , response TEXT NOT NULL DEFAULT '', owner TEXT NOT NULL DEFAULT '');
INSERT INTO "conversations" VALUES(1,'conv-1',100.0,200.0,'{"topic": "greetings"}','{"name":"copy-1","value":"{\"site\": \"https://chat.example\", \"bot_id\": 7, \"session_id\": \"guest\", \"conversation_uuid\": \"copy-1\", \"response_id\": \"\", \"interaction_id\": \"\"}","told":""}',0,NULL,0,548,'','');
CREATE TABLE key_requests (
            key TEXT NOT NULL,
            second INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (key, second)
        ) WITHOUT ROWID;
CREATE TABLE key_tokens (
            key TEXT NOT NULL,
            day INTEGER NOT NULL,  -- since 1970, UTC
            count INTEGER NOT NULL,
            PRIMARY KEY (key, day)
        ) WITHOUT ROWID;
CREATE TABLE messages (
            number INTEGER PRIMARY KEY,
            conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
            role TEXT NOT NULL,
            text BLOB NOT NULL,  -- UTF-8, lone surrogates encoded like any other code point
            images TEXT NOT NULL  -- list of digests as JSON
        , item TEXT NOT NULL DEFAULT '', tools TEXT NOT NULL DEFAULT '');
INSERT INTO "messages" VALUES(1,1,'user',X'48656C6C6F2C20E8A786E8A78920F09F9880','[]','','');
INSERT INTO "messages" VALUES(2,1,'assistant',X'476F6F6420646179','[]','','');
CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "notes" VALUES('a note','its text');
CREATE TABLE places (
            site TEXT NOT NULL,
            holder TEXT NOT NULL,
            places INTEGER NOT NULL,
            demand INTEGER NOT NULL,
            until REAL NOT NULL,
            PRIMARY KEY (site, holder)
        ) WITHOUT ROWID;
CREATE TABLE sites (
            site TEXT PRIMARY KEY,
            generation INTEGER NOT NULL,
            current TEXT NOT NULL,  -- Credentials as JSON
            good_generation INTEGER,
            last_good TEXT,  -- Credentials as JSON
            bots TEXT NOT NULL,  -- list of Bot as JSON
            identity TEXT NOT NULL
        );
INSERT INTO "sites" VALUES('https://chat.example',1,'{"site":"https://chat.example","plugin":"aipkit","ajax_url":"https://chat.example/wp-admin/admin-ajax.php","page_url":"https://chat.example/chat/","cookie":"a=1; b=\"x,y\"","nonce":"aaaaaaaaaa","session_id":"11111111-2222-4333-8444-555555555555","post_id":18,"user_agent":"Test/1.0","source":"visit","captured_at":100.0,"nonce_checked_at":100.0,"generation":1}',1,'{"site":"https://chat.example","plugin":"aipkit","ajax_url":"https://chat.example/wp-admin/admin-ajax.php","page_url":"https://chat.example/chat/","cookie":"a=1; b=\"x,y\"","nonce":"aaaaaaaaaa","session_id":"11111111-2222-4333-8444-555555555555","post_id":18,"user_agent":"Test/1.0","source":"visit","captured_at":100.0,"nonce_checked_at":100.0,"generation":1}','[{"id":7,"name":"Alpha","provider":"OpenAI","keeps_state":true,"web_search":false,"images":false,"max_images":0,"consent_required":false,"key":"","custom_key":"","streams":true,"max_message":0},{"id":9,"name":"\u89c6\u89c9","provider":"","keeps_state":false,"web_search":false,"images":true,"max_images":0,"consent_required":false,"key":"","custom_key":"","streams":true,"max_message":0}]','{"origins": []}');
CREATE TABLE usage (
            hour INTEGER NOT NULL,  -- its first second, Unix time
            key TEXT NOT NULL,
            model TEXT NOT NULL,
            site TEXT NOT NULL,
            counts TEXT NOT NULL,  -- JSON
            PRIMARY KEY (hour, key, model, site)
        ) WITHOUT ROWID;
CREATE TABLE visits (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            site TEXT NOT NULL,
            record TEXT NOT NULL,  -- Visit as JSON
            screenshot BLOB
        );
INSERT INTO "visits" VALUES(1,'visit-1','https://chat.example','{"id":"visit-1","site":"https://chat.example","started_at":1.0,"seconds":1.5,"outcome":"timeout","reason":"","trigger":"","steps":{},"screenshot":false,"retry_after":0.0}',X'612070696374757265');
CREATE INDEX asks_by_site ON asks (site);
CREATE INDEX conversations_by_age ON conversations (updated_at, bytes);
CREATE INDEX messages_by_conversation ON messages (conversation);
CREATE INDEX branches_by_history ON branches (history);
CREATE INDEX branches_by_age ON branches (kept_at);
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (name) WHERE NOT is_revoked;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('visits',1);
COMMIT;
PRAGMA application_id = 1178683715;
PRAGMA user_version = 7;
