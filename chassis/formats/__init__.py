"""How pages write times, for Django's FORMAT_MODULE_PATH."""
