"""Who may have killed a worker: noted while it runs, published when it has died, tried alone."""
