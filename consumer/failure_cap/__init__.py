"""When nearly everything fails: stop taking."""
