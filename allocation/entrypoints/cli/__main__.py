from allocation.entrypoints.cli.main import main

main()
