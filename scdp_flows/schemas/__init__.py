"""Define the documents that the stores hold: small, versioned, and plain enough for any database.

Arrays never lie in a document. They are blobs, and the document holds their references.
"""
