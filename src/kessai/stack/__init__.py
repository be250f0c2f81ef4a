"""The real servers on this machine: private instances on loopback, without containers.

Purpose: the production adapters can be run and proved where nothing is installed.
Owns: programs in a cache folder; data, ports, secrets and notes of processes below the data folder.
"""
