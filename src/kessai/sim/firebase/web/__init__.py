"""What comes in: the SDK's paths, the key sets, control under /sim, pages for people."""
