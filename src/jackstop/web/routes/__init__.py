"""The routes, one file each, found by file name: a module offers `routes`, a `routing.Routes`."""
