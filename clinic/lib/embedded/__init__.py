"""The PostgreSQL and Valkey servers that come with the pinned wheels: found, initialised, run and stopped.

Nothing here needs Django. The service uses these servers where no DATABASE_URL or REDIS_URL is given.
"""
