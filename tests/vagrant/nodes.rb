# A provider of Vagrant whose machines are there already: the nodes of a lab. nodes.json beside this says who is where.
# All else is the real thing: Vagrant, its ssh, the triggers of the Vagrantfile.
require "json"

module Nodes
  class Provider < Vagrant.plugin("2", :provider)
    FILE = File.join(__dir__, "nodes.json")
    def initialize(machine) = @machine = machine
    def known = JSON.parse(File.read(FILE))[@machine.name.to_s]
    def state
      id = @machine.id && known ? :running : :not_created
      Vagrant::MachineState.new(id, id.to_s, id.to_s)
    end
    def ssh_info = state.id == :running ? { host: known, port: 22 } : nil
    def action(name)
      case name
      when :up then Vagrant::Action::Builder.new.tap { |b| b.use Up }
      when :destroy then Vagrant::Action::Builder.new.tap { |b| b.use Gone }
      end
    end
  end
  class Up
    def initialize(app, env) = @app = app
    def call(env)
      env[:machine].id ||= env[:machine].name.to_s
      @app.call(env)
    end
  end
  class Gone
    def initialize(app, env) = @app = app
    def call(env)
      env[:machine].id = nil
      @app.call(env)
    end
  end
  class Plugin < Vagrant.plugin("2")
    name "nodes"
    provider(:nodes, parallel: true, box_optional: true) { Provider }
  end
end
