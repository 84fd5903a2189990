"""Keep documents and arrays: documents in maggma stores, arrays in content-addressed blobs."""
