"""The running of tasks: images, networks, containers, their output, health and metadata.

`settling` brings a task from state to state. All else is asked by it. Whatever is in memory here is known from the
store, from the keeper and from the folders of tasks, so that a block that was killed goes on with what runs.
"""
