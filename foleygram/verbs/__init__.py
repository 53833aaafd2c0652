"""What the command line does, one library function for each verb: what was asked for, the doing, the report of it."""
