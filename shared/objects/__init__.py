"""Where files are kept: the object store and the catalogue of what may be bundled. Knows nothing of jobs or ZIPs."""
