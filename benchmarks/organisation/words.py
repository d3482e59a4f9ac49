"""Words of the organisation: names in several languages, errors, lines of logs, and words to search for."""

from random import Random

COMMON_WORD = "rows"
"""In a large part of the lines of logs, in names of jobs and in what agents put out."""
RARE_WORD = "Quellwolke"
"""In few lines, few names of streams and few outputs of agents, at any scale in three of each at least."""
VERY_RARE_WORD = "Mauersegler"
"""In ten lines of logs at any scale."""
ABSENT_WORD = "Zwitscherkasten"
"""In none."""

COLLEAGUES = (
    "Aino Virtanen",
    "Björn Ångström",
    "Chidi Okonkwo",
    "Дарья Соколова",
    "Elif Şahin",
    "François Lefèvre",
    "Gabriela Nuñez",
    "日向 葵",
    "Ingrid Sørensen",
    "יעל כהן",
    "Łukasz Wiśniewski",
    "مريم الحسن",
)
COMPANIES = (
    "Nordlicht Logistik GmbH & Co. KG",
    "株式会社ひかり物産",
    "Société Générale de Céréales",
    "«Северный Поток Данных»",
    "Harbour & Vine Ltd",
    "شركة النور للتجارة",
    "Müller Söhne Maschinenbau",
    "Río Claro Alimentos S.A.",
    "上海东方数据有限公司",
    "Øresund Shipping A/S",
)
OBJECTS = (
    "invoices",
    "prices",
    "orders",
    "stock levels",
    "customer rows",
    "sensor readings",
    "Rechnungen",
    "produits",
    "注文データ",
    "отчёты",
    "contracts",
    "images",
    "search index",
    "shipments",
    "sessions",
    "embeddings",
)
DEEDS = ("Import", "Export", "Reconcile", "Rebuild", "Clean", "Enrich", "Replicate", "Score", "Archive", "Validate")
PLACES = ("eu-west", "eu-north", "us-east", "ap-south", "warehouse", "staging", "Zürich", "São Paulo", "大阪", "legacy")
LONG_TAIL = (
    " including every partner feed of the last quarter, the corrections of the month-end close and the rows that the "
    "audit asked for"
)
TYPES = ("etl", "training", "report", "backup", "sync", "quality")
UNITS = ("rows", "files", "B", "pages", "images", None)
TAGS = (
    "prod",
    "nightly",
    "finance",
    "gdpr",
    "gpu",
    "partner",
    "team:data",
    "team:ml",
    "críticas",
    "重要",
    "cost:high",
    "sla",
)
AGENT_DEEDS = ("extract", "classify", "summarise", "translate", "review", "plan", "route", "verify", "crawl", "match")
AGENT_OBJECTS = ("invoice", "ticket", "contract", "page", "price", "résumé")
STEPS = ("discover", "download", "parse", "deduplicate", "score", "publish")
SIGNALS = ("price_change", "new_listing", "management_change", "sla_breach", "anomaly", "data_quality")

SYSTEMS = ("database", "storage", "partner", "memory", "data", "cluster")
"""What runs depend on; an incident is of one of them."""
ERRORS = {
    "database": (
        'psycopg.OperationalError: connection to server at "db-{a}.internal", port 5432 failed: FATAL:  remaining '
        "connection slots are reserved for roles with the SUPERUSER attribute",
        "sqlalchemy.exc.DBAPIError: (psycopg.errors.DeadlockDetected) deadlock detected\nDETAIL:  Process {b} waits "
        "for ShareLock on transaction {a}; blocked by process {a}.",
    ),
    "storage": (
        "botocore.exceptions.ClientError: An error occurred (SlowDown) when calling the PutObject operation (reached "
        "max retries: {a}): Please reduce your request rate.",
        "OSError: [Errno 28] No space left on device: '/mnt/scratch/part-{b:05d}.parquet'",
    ),
    "partner": (
        "requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: "
        "https://api.partner.example/v2/prices?page={b}",
        "httpx.ReadTimeout: The read operation timed out after {a}.0 s (https://api.partner.example/v2/orders/{b})",
    ),
    "memory": (
        "numpy.exceptions._ArrayMemoryError: Unable to allocate {a}.7 GiB for an array with shape ({b}, 1024)",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate {a}.00 GiB (GPU 0; 23.65 GiB total capacity)",
    ),
    "data": (
        "ValueError: could not convert string to float: '1.{a},56' (row {b}, column \"price\")",
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xfc in position {b}: invalid start byte",
        "KeyError: 'Währung' (file {a} of {b})",
    ),
    "cluster": (
        "kubernetes.client.ApiException: (410) Reason: Gone: pod batch-{b} was evicted: node had disk pressure",
        "RuntimeError: worker {a} exited with signal 9 (SIGKILL) after {b} tasks",
    ),
}
TRACEBACK = (
    'Traceback (most recent call last):\n  File "/srv/jobs/{module}.py", line {line}, in main\n    step.run(batch)\n'
    '  File "/srv/jobs/steps.py", line {other}, in run\n    return self.function(batch)\n'
)

INFO_LINES = (
    "Fetched %d rows in %d ms",
    "Wrote batch %d: 500 rows, checksum %08x",
    "\x1b[32mINFO\x1b[0m    page %d of %d is done",
    "GET /v2/items?page=%d 200 OK (%d ms)",
    "Skipped %d rows without a key; %d left",
    "Zeile %d übernommen, noch %d offen",
    "第%d批已完成 (还剩%d批)",
    "Обработано строк: %d, ошибок: %d",
    "epoch %d step %d \x1b[2mloss\x1b[0m 0.314 \x1b[2mlr\x1b[0m 3e-4",
    "cache hit ratio %d %%, %d evictions",
    "Checkpoint %d saved after %d s",
)
LINES = {
    "debug": (
        "select id, price from offers where id > %d limit %d",
        "\x1b[2mpool: %d connections, %d idle\x1b[0m",
        "retry budget %d, jitter %d ms",
    ),
    "info": INFO_LINES,
    "warning": (
        "\x1b[33mWARNING\x1b[0m slow response: %d ms for request %d",
        "Connection pool is nearly full: %d of %d",
        "Retrying in %d s (attempt %d)",
        "%d rows have no currency, EUR is assumed for batch %d",
    ),
    "error": (
        "\x1b[31mERROR\x1b[0m request %d failed with status %d",
        "Could not parse row %d: unexpected end of line at byte %d",
        "Échec de la connexion n° %d après %d essais",
    ),
    "critical": ("\x1b[1;31mCRITICAL\x1b[0m only %d MB of memory left, worker %d is shed",),
}


def error_text(random: Random, system: str) -> str:
    """Return the error of a run that failed because of a system; one of three has a traceback."""
    text = random.choice(ERRORS[system]).format(a=random.randrange(2, 60), b=random.randrange(100, 90_000))
    if random.random() < 0.33:
        lines = {"line": random.randrange(20, 400), "other": random.randrange(20, 400)}
        return TRACEBACK.format(module=random.choice(TYPES), **lines) + text
    return text
