"""Where jobs are done: in this process, in local workers, on a Ray cluster."""
