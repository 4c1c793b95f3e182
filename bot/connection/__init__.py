"""The connection to Redis or to the embedded Valkey, and the errors of both."""
