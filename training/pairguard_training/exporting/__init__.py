"""From the service's journal, or from a warehouse, to the five tables that training reads."""
