"""A Superset of one's own machine: its settings and users are in an SQLite file in SUPERSET_HOME."""

import os
import secrets

from superset.config import TALISMAN_CONFIG

home = os.environ["SUPERSET_HOME"]
key = os.path.join(home, "secret_key")
if not os.path.exists(key):
    with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(42))
with open(key) as file:
    SECRET_KEY = file.read()

SQLALCHEMY_DATABASE_URI = f"sqlite:///{home}/superset.db"
# No cache beside the browser: what is recorded is seen at the next look.
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}

# The package's pages tell their maker of each visit by a picture from elsewhere: the browser is to load none.
TALISMAN_CONFIG["content_security_policy"]["img-src"] = ["'self'", "blob:", "data:"]
