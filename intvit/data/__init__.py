"""Images, labels and preprocessing: everything between files on disk and uint8 pixels."""
